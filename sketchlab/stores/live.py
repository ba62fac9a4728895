"""What every live store answers to, whatever it is made of."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sketchlab.annotations import Array, DType, Rows, Self, Values
from sketchlab.errors import ConfigurationError, InputError
from sketchlab.stores.rows import coalesce
from sketchlab.validation import checked_rows, checked_values

if TYPE_CHECKING:
    from sketchlab.stores.description import Description

__all__ = ["LiveStore"]


class LiveStore:
    """An auxiliary variable of n rows and `dim` columns, kept as its description says.

    A kind of store defines what raises NotImplementedError here.

    Attributes
    ----------
    description : Description
    n, dim : int
    dtype : dtype
    """

    #: Whether rows share what is kept, so that what one row is given can reach others.
    shared = True

    def __init__(self, description: "Description[Any]", n: int, dim: int, dtype: DType) -> None:
        self.description: Any = description
        self.n, self.dim, self.dtype = n, dim, dtype

    def make_room(self, largest: float) -> None:
        """Get ready for additions of that magnitude at most: nothing, but for divided arrays."""

    def advance(
        self, rows: Array, values: Array, keep: float, gain: float, squared: bool = False
    ) -> None:
        """One step x ← keep·x + gain·u of some rows, all reads before all writes.

        Parameters
        ----------
        rows : ndarray of int64, (k,)
            Distinct.
        values : ndarray, (k, dim)
        keep, gain : float
        squared : bool
            Whether u is the square of the values, else the values themselves.
        """
        raise NotImplementedError

    def step(self, rows: Array, values: Array, keep: float, gain: float, squared: bool) -> Array:
        """Take a step by `advance`; what it answers to the rule, (k, dim).

        Here the store as all additions leave it. A store whose answers are of the cells as they
        were before other rows' additions gives its own.
        """
        self.advance(rows, values, keep, gain, squared)
        return self.estimate(rows)

    def estimate(self, rows: Array) -> Array:
        """The store's answers (k, dim) for valid rows; `query` without its checks."""
        raise NotImplementedError

    def scale(self, factor: float) -> Self:
        """Multiply the whole variable by a factor; returns the store."""
        raise NotImplementedError

    @property
    def table(self) -> Array:
        """The numbers that are kept, or where they are no table the variable as it is answered."""
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is kept."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Everything that changes during a run, as numbers and the live arrays themselves."""
        raise NotImplementedError

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; shapes and dtypes have been checked by the caller."""
        raise NotImplementedError

    def end_step(self, step: int) -> None:
        """What is due after step `step`: nothing, but for sketches that are cleaned."""

    @property
    def decay(self) -> str:
        """``"lazy"``, ``"global"`` or ``"bucket"``."""
        return self.description.decay

    def row_keep_less_one(self, keep: float) -> float:
        """What is left for the rows of a step to lose: nothing where everything has decayed."""
        return 0.0 if self.decay == "global" else keep - 1.0

    def update(self, rows: Rows, values: Values) -> None:
        """Add values to rows: x[rows] += values; equal rows are summed first.

        Parameters
        ----------
        rows : array_like of int, (k,)
        values : array_like, (k, dim)
            Not below zero for a store of non-negative values.

        Raises
        ------
        InputError
            If a row is out of range, a shape does not match, or a sign does not fit.
        """
        rows = checked_rows(rows, self.n)
        values = checked_values("values", values, [(len(rows), self.dim)], self.dtype)
        if not self.description.signed and (values < 0).any():
            raise InputError(
                f"values go down to {values.min()}: {type(self.description).__name__} holds "
                "non-negative values, use CountSketch or Dense for signed ones"
            )
        self.advance(*coalesce(rows, values), 1.0, 1.0)

    def query(self, rows: Rows) -> Array:
        """The store's estimates of rows, raw: a second moment may come out negative.

        Parameters
        ----------
        rows : array_like of int, (k,)

        Returns
        -------
        ndarray, (k, dim)

        Raises
        ------
        InputError
            If a row is out of range.
        """
        return self.estimate(checked_rows(rows, self.n))

    def signature(self) -> dict[str, Any]:
        """What two stores must share for their numbers to mean the same."""
        return {
            "kind": type(self.description).__name__,
            "n": self.n,
            "dim": self.dim,
            "dtype": self.dtype.name,
        }

    def _check_mergeable(self, other):
        if not isinstance(other, LiveStore) or other.signature() != self.signature():
            raise ConfigurationError(
                f"cannot merge {other!r} into {self!r}: everything named here must be equal, "
                "build both stores from one description"
            )

    def __repr__(self):
        parts = (f"{name}={value}" for name, value in self.signature().items())
        return f"<live store: {', '.join(parts)}>"
