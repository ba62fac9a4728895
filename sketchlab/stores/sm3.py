"""SM3: one bound a row and one a column, the smaller of the two the answer (Anil et al. 2019)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from sketchlab.annotations import Array, DType, Zeros
from sketchlab.errors import ConfigurationError
from sketchlab.stores.arithmetic import contribution
from sketchlab.stores.description import Description
from sketchlab.stores.scaled import ScaledStore, largest_contribution
from sketchlab.validation import checked_choice

__all__ = ["SM3"]


class SM3Store(ScaledStore):
    """A live non-negative variable bounded by its rows and by its columns.

    Attributes
    ----------
    row_bounds : ndarray, (n,)
    column_bounds : ndarray, (dim,)
    """

    arrays = divided = ("row_bounds", "column_bounds")

    def __init__(self, description: "SM3", n: int, dim: int, dtype: DType, zeros: Zeros) -> None:
        super().__init__(description, n, dim, dtype)
        self.row_bounds = zeros((n,), dtype)
        self.column_bounds = zeros((dim,), dtype)

    def advance(
        self, rows: Array, values: Array, keep: float, gain: float, squared: bool = False
    ) -> None:
        """One step: bounds rise to the largest keep·x̂ + gain·u of their row or column.

        A touched row's bound is the largest target of the row. A column's also stands for rows
        that the step does not touch; the largest of theirs is the old bound itself, because some
        row's bound is never below it, so ``max`` with the old one is SM3-II over the whole table.
        """
        self.make_room(largest_contribution(squared, gain, values))
        gain = self.begin_step(keep, gain)
        if not len(rows):
            return
        targets = self._read(rows)
        targets += contribution(squared, gain, values)  # `conservative_target`, in place
        self.row_bounds[rows] = targets.max(axis=1)
        np.maximum(self.column_bounds, targets.max(axis=0), out=self.column_bounds)

    def estimate(self, rows: Array) -> Array:
        """The smaller of the row's bound and the column's."""
        return self.dtype.type(self.multiplier) * self._read(rows)

    def _read(self, rows):
        return np.minimum(self.row_bounds[rows][:, None], self.column_bounds)


@dataclass(frozen=True)
class SM3(Description[SM3Store]):
    """Keep a non-negative variable as a bound a row and a bound a column: n + dim numbers.

    SM3-II (Anil et al. 2019, Algorithm SM3-II) with rows and columns as its cover: the answer is
    x̂_ic = min(R_i, C_c), a step's targets are keep·x̂ + gain·u, all read before anything is
    written, and R_i and C_c become the largest targets of their row and column. With `Adagrad`
    (keep = 1) this is the published algorithm. It is the conservative update of `CountMinSketch`
    with rows and columns in the place of buckets.

    With decay the answer stays at or above the ``"global"`` recursion x ← keep·x + gain·u: if
    x̂ ≥ x before a step, a touched entry's target is at least its new value and neither of its
    bounds is below its target, while an untouched entry decays by the factor of both its bounds.

    Parameters
    ----------
    decay : {"global"}
        Both kinds of bounds decay at every step. There is no ``"lazy"``: a column's bound stands
        for rows that a step does not touch, so it cannot fade with those that it does.

    Examples
    --------
    >>> store = SM3().allocate(n=3, dim=2)
    >>> store.update([0, 2], [[1.0, 3.0], [2.0, 1.0]])
    >>> store.query([0, 1, 2])
    array([[2., 3.],
           [0., 0.],
           [2., 2.]], dtype=float32)
    """

    signed: ClassVar[bool] = False

    decay: Literal["global"] = "global"

    def __post_init__(self):
        if self.decay == "lazy":
            raise ConfigurationError(
                "decay='lazy': SM3's column bounds stand for rows that a step does not touch and "
                "cannot fade with those that it does, use decay='global'"
            )
        checked_choice("decay", self.decay, ("global",))

    def _live(self, n, dim, dtype, zeros):
        return SM3Store(self, n, dim, dtype, zeros)
