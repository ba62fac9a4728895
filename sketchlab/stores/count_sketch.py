"""Count-sketch: signed values, unbiased (Charikar, Chen, Farach-Colton 2002)."""

from dataclasses import dataclass

import numpy as np

from sketchlab import hashing
from sketchlab.annotations import Array, Decay, Rows
from sketchlab.stores.description import Clean, decay_with_weights
from sketchlab.stores.sketches import SketchDescription, SketchStore
from sketchlab.validation import checked_flag, checked_rows

__all__ = ["CountSketch"]


class CountSketchStore(SketchStore):
    """A live count-sketch."""

    def signs(self, rows: Rows) -> Array:
        """Signs of rows under every hash function, int8 (depth, k)."""
        return hashing.signs(checked_rows(rows, self.n), self.constants)

    def combine(self, signed_cells: Array) -> Array:
        """The median; for an even depth the mean of the two middle values."""
        return np.median(signed_cells, axis=0).astype(self.dtype, copy=False)


@dataclass(frozen=True)
class CountSketch(SketchDescription[CountSketchStore]):
    """Keep a variable of either sign in a count-sketch tensor (depth, width, dim).

    Parameters
    ----------
    width : int, optional
        Buckets of each hash function; by default max(1, ⌊n / (compression·depth)⌋).
    depth : int
        Number of hash functions; the answer is the median over them.
    compression : float
        How many times smaller than the exact variable, at least 1; unused when `width` is given.
    decay : {"lazy", "global", "bucket"}, optional
        ``"lazy"``, the default: Spring et al. (2019), Algorithms 2–4. ``"global"``: the linear
        sketch of the dense recursion, for which the theory holds. ``"bucket"``: the kernels they
        released; a step's answers have the row's own update alone, `query` reads all of them.
    seed : int
        Of the hash functions, 0 <= seed < 2**64.
    clean : Clean, optional
    row_weights : bool
        Correct the global decay, which this implies, by each row's own weight (one number a row,
        see `Dense`). In a sketch that decays as a whole only what was touched lately makes noise.

    Examples
    --------
    >>> sk = CountSketch(width=1024, depth=5, seed=7).allocate(n=10**6, dim=2)
    >>> sk.update([3, 999_999], [[1.5, -2.0], [4.0, 0.0]])
    >>> sk.query([3, 999_999])
    array([[ 1.5, -2. ],
           [ 4. ,  0. ]], dtype=float32)
    >>> sk.table.shape, sk.nbytes
    ((5, 1024, 2), 40960)
    """

    width: int | None = None
    depth: int = 3
    compression: float = 5
    decay: Decay | None = None
    seed: int = 0
    clean: Clean | None = None
    row_weights: bool = False

    live = CountSketchStore

    def __post_init__(self):
        object.__setattr__(self, "row_weights", checked_flag("row_weights", self.row_weights))
        object.__setattr__(self, "decay", decay_with_weights(self.decay, self.row_weights))
        self._check()
