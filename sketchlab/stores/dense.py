"""The exact variable: one cell a row."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from sketchlab.annotations import Array
from sketchlab.stores.cells import CellStore
from sketchlab.stores.description import CELLS, Description, decay_with_weights
from sketchlab.validation import checked_choice, checked_flag

__all__ = ["Dense"]


@dataclass(frozen=True)
class Dense(Description["DenseStore"]):
    """Keep an auxiliary variable exactly: the baseline, and the default.

    Parameters
    ----------
    decay : {"lazy", "global"}, optional
        ``"lazy"``, the default: only the rows of a step decay, as in torch.optim.SparseAdam.
        ``"global"``: every row decays at every step, as the dense recursion says.
    row_weights : bool
        Correct the global decay by each row's own weight (one number a row): a row that is rarely
        touched then answers the weighted mean of its own gradients, not a value that has faded
        while nothing was said about it.
    cells : {"bfloat16"}, optional
        Keep every number in two bytes, rounded at random, without bias; float32 variables only.

    Examples
    --------
    >>> store = Dense().allocate(n=4, dim=2)
    >>> store.update([1, 1], [[1, 2], [3, 4]])
    >>> store.query([0, 1])
    array([[0., 0.],
           [4., 6.]], dtype=float32)
    """

    decay: Literal["lazy", "global"] | None = None
    row_weights: bool = False
    cells: Literal["bfloat16"] | None = None

    added_later: ClassVar[tuple[str, ...]] = ("cells",)

    def __post_init__(self):
        object.__setattr__(self, "row_weights", checked_flag("row_weights", self.row_weights))
        object.__setattr__(self, "decay", decay_with_weights(self.decay, self.row_weights))
        checked_choice("decay", self.decay, ("lazy", "global"))
        checked_choice("cells", self.cells, CELLS)

    def _live(self, n, dim, dtype, zeros):
        return DenseStore(self, n, dim, dtype, zeros, depth=1, width=n)


class DenseStore(CellStore):
    """A live exact variable."""

    private = True
    shared = False

    def slots(self, rows: Array) -> Array:
        """Row i has cell i."""
        return rows[None, :]

    def signs(self, rows: Array) -> Array:
        """All +1."""
        return np.ones((1, len(rows)), np.int8)

    def combine(self, signed_cells: Array) -> Array:
        """The cell itself."""
        return signed_cells[0]

    def raise_to(self, rows: Array, values: Array) -> Array:
        """Raise distinct rows to values (k, dim) at least; what they hold then."""
        self.table[rows] = np.maximum(values, self.table[rows])
        return self.table[rows]

    @property
    def table(self) -> Array:
        """The variable, (n, dim); a view that is valid until the next step."""
        return super().table[0]
