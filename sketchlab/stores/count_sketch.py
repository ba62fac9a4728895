"""Count-sketch: signed values, unbiased (Charikar, Chen, Farach-Colton 2002)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from sketchlab import hashing
from sketchlab.annotations import Array, Decay, Rows
from sketchlab.errors import ConfigurationError
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
    row_weights : bool, optional
        Correct the global decay, which this implies, by each row's own weight (one number a row,
        see `Dense`). In a sketch that decays as a whole only what was touched lately makes noise.
        By default as `shrink`.
    shrink : bool
        For a first moment: trust the sketch only as far as its hash functions agree. Implies row
        weights and global decay; needs depth 2 at least. See the notes.
    cells : {"bfloat16"}, optional
        Keep every number of the table in two bytes, rounded at random, without bias; float32
        variables only. At equal `compression` there are twice as many buckets.

    Notes
    -----
    With `shrink`, a step reads a row before it adds anything, once under each hash function, as
    e_1, …, e_depth. From them it measures which part of the median y to trust,

        f = cross/(cross + κ·(auto − cross)), 0 where cross ≤ 0,

    with auto the mean of ‖e_a‖² and cross that of ⟨e_a, e_b⟩, which are unbiased for ‖m‖² + σ²
    and ‖m‖², and κ the variance of the median of `depth` normal numbers. The update gets

        F·(f·y + gain·g)/(f·W + gain):

    the gradient g of the step, which is known exactly, and as much of the past, with its weight W,
    as can be trusted (F is the weight of a row that every step touches). With f = 1 that is row
    weights' answer; with f = 0 it is F·g, no momentum at all: Adam becomes RMSprop, and momentum
    SGD, for that row and step. A row that was never touched has f = 0. `query`, which is given no
    gradient, answers F·f·y/W.

    The answer is the median, shrunken or not: on the gradients of a log-bilinear language model the
    shrunken median errs less than the shrunken mean (κ = 1/depth) at depths 3 and 5 and every size
    tried, 5 to 100 times (``python -m analysis run shrinkage-forms``); at depth 2 they are one.
    Sources: Wiener (1949) and James & Stein (1961) for f; `sketchlab.stores.shrinkage` for κ.

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
    row_weights: bool | None = None
    shrink: bool = False
    cells: Literal["bfloat16"] | None = None

    added_later: ClassVar[tuple[str, ...]] = ("shrink", "cells")
    live = CountSketchStore

    def __post_init__(self):
        object.__setattr__(self, "shrink", checked_flag("shrink", self.shrink))
        weights = self.shrink if self.row_weights is None else self.row_weights
        object.__setattr__(self, "row_weights", checked_flag("row_weights", weights))
        if self.shrink:
            self._check_shrinkable()
        object.__setattr__(self, "decay", decay_with_weights(self.decay, self.row_weights))
        self._check()
        if self.shrink and self.depth == 1:
            raise ConfigurationError(
                "depth=1 with shrink=True: noise is measured by how far hash functions differ, "
                "give depth=2 or more"
            )

    def _check_shrinkable(self):
        if not self.row_weights:
            raise ConfigurationError(
                "row_weights=False with shrink=True: a shrunken answer needs row weights, leave "
                "row_weights out"
            )
        if self.decay not in (None, "global"):
            raise ConfigurationError(
                f"decay={self.decay!r} with shrink=True: a shrunken sketch decays as a whole, use "
                'decay="global" or leave it out'
            )
