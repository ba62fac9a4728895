"""One value a row: the mean of its columns."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from sketchlab.annotations import Array, DType, Zeros
from sketchlab.stores.arithmetic import contribution, lazy_change
from sketchlab.stores.description import Description
from sketchlab.stores.scaled import ScaledStore, largest_contribution
from sketchlab.validation import checked_choice

__all__ = ["RowWise"]


class RowWiseStore(ScaledStore):
    """A live variable of which each row keeps its mean.

    Attributes
    ----------
    values : ndarray, (n,)
    """

    arrays = divided = ("values",)
    shared = False

    def __init__(
        self, description: "RowWise", n: int, dim: int, dtype: DType, zeros: Zeros
    ) -> None:
        super().__init__(description, n, dim, dtype)
        self.values = zeros((n,), dtype)

    def advance(
        self, rows: Array, values: Array, keep: float, gain: float, squared: bool = False
    ) -> None:
        """One step of the rows' means: mean ← keep·mean + gain·(mean of u over the columns)."""
        self.make_room(largest_contribution(squared, gain, values))
        gain = self.begin_step(keep, gain)
        # each column's share is taken before the sum, which could overflow where the mean does not
        before, mean = self.values[rows], contribution(squared, gain / self.dim, values).sum(axis=1)
        self.values[rows] = before + lazy_change(before, mean, self.row_keep_less_one(keep))

    def estimate(self, rows: Array) -> Array:
        """The row's mean, for every column."""
        values = self.dtype.type(self.multiplier) * self.values[rows]
        return np.repeat(values[:, None], self.dim, axis=1)


@dataclass(frozen=True)
class RowWise(Description[RowWiseStore]):
    """Keep one number a row of a non-negative variable: the mean of its columns.

    With `Adagrad` it is the row-wise Adagrad of large embedding tables, as in FBGEMM (Khudia et
    al. 2021): v_i ← keep·v_i + gain·mean_c(g²_ic), which all columns of row i are divided by. Exact
    where all columns of a row have the same second moment.

    Parameters
    ----------
    decay : {"lazy", "global"}
        Whether only the rows of a step decay, or all.

    Examples
    --------
    >>> store = RowWise().allocate(n=3, dim=2)
    >>> store.update([0, 2], [[1.0, 3.0], [2.0, 6.0]])
    >>> store.query([0, 1, 2])
    array([[2., 2.],
           [0., 0.],
           [4., 4.]], dtype=float32)
    >>> store.nbytes
    12
    """

    signed: ClassVar[bool] = False

    decay: Literal["lazy", "global"] = "lazy"

    def __post_init__(self):
        checked_choice("decay", self.decay, ("lazy", "global"))

    def _live(self, n, dim, dtype, zeros):
        return RowWiseStore(self, n, dim, dtype, zeros)
