"""Count-min sketch: non-negative values, never below the truth when linear or conservative.

Cormode & Muthukrishnan (2005); the conservative update is that of Estan & Varghese (2002) for a
batch, with decay.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from sketchlab.annotations import Array, Decay, Rows
from sketchlab.errors import ConfigurationError
from sketchlab.stores.description import Clean
from sketchlab.stores.sketches import SketchDescription, SketchStore
from sketchlab.validation import checked_flag, checked_rows

__all__ = ["CountMinSketch"]


class CountMinStore(SketchStore):
    """A live count-min sketch."""

    @property
    def conservative(self):
        """Whether a step raises cells only as far as its rows need."""
        return self.description.conservative

    def signs(self, rows: Rows) -> Array:
        """All +1: count-min draws sign constants and leaves them; int8 (depth, k)."""
        return np.ones((self.depth, len(checked_rows(rows, self.n))), np.int8)

    def combine(self, signed_cells: Array) -> Array:
        """The smallest cell: each holds the row's value and what collides with it."""
        return signed_cells.min(axis=0)

    def signature(self) -> dict[str, Any]:
        """What two stores must share for their cells to mean the same."""
        return {**super().signature(), "conservative": self.conservative}


@dataclass(frozen=True)
class CountMinSketch(SketchDescription[CountMinStore]):
    """Keep a non-negative variable in a count-min sketch tensor (depth, width, dim).

    Parameters
    ----------
    width : int, optional
        Buckets of each hash function; by default max(1, ⌊n / (compression·depth)⌋).
    depth : int
        Number of hash functions; the answer is the minimum over them.
    compression : float
        How many times smaller than the exact variable, at least 1; unused when `width` is given.
    decay : {"lazy", "global", "bucket"}, optional
        As for `CountSketch`; by default ``"lazy"``, the paper's Algorithm 4, or ``"global"`` with
        the conservative update. Only ``"global"`` never answers below the truth.
    conservative : bool
        Raise each cell no further than the rows of a step need: smaller answers, still never
        below the truth, no longer linear. Needs ``decay="global"``.
    seed : int
        Of the hash functions, 0 <= seed < 2**64.
    clean : Clean, optional
    cells : {"bfloat16"}, optional
        As for `CountSketch`. Each rounding keeps the expectation, so that an answer can lie below
        the truth then, by units of the last place (1/128 of a number at most).

    Examples
    --------
    >>> sk = CountMinSketch(width=2, depth=2, decay="global").allocate(n=100, dim=1)
    >>> sk.update([0, 1, 2], [[1.0], [2.0], [4.0]])
    >>> bool((sk.query([0, 1, 2]).ravel() >= [1, 2, 4]).all())
    True
    """

    signed: ClassVar[bool] = False

    width: int | None = None
    depth: int = 3
    compression: float = 5
    decay: Decay | None = None
    conservative: bool = False
    seed: int = 0
    clean: Clean | None = None
    cells: Literal["bfloat16"] | None = None

    added_later: ClassVar[tuple[str, ...]] = ("cells",)
    live = CountMinStore

    def __post_init__(self):
        object.__setattr__(self, "conservative", checked_flag("conservative", self.conservative))
        if self.decay is None:
            object.__setattr__(self, "decay", "global" if self.conservative else "lazy")
        self._check()
        if self.conservative and self.decay != "global":
            raise ConfigurationError(
                f'decay={self.decay!r} with conservative=True: only decay="global" keeps the '
                "conservative update above the truth, use it or leave conservative=False"
            )
