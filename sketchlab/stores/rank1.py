"""Rank-one stores: the field's other compression, beside which sketches are measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from sketchlab.annotations import Array, DType, Self, Zeros
from sketchlab.stores.arithmetic import contribution, lazy_change, outer_estimate
from sketchlab.stores.description import Description
from sketchlab.stores.live import LiveStore
from sketchlab.validation import checked_choice, checked_number

__all__ = ["Rank1", "Rank1SVD"]


class RankOneStore(LiveStore):
    """A live variable kept as the outer product of a vector over rows and one over columns.

    Attributes
    ----------
    left : ndarray, (n,)
    right : ndarray, (dim,)
    """

    def __init__(
        self, description: "Description[Any]", n: int, dim: int, dtype: DType, zeros: Zeros
    ) -> None:
        super().__init__(description, n, dim, dtype)
        self.left = zeros((n,), dtype)
        self.right = zeros((dim,), dtype)

    @property
    def table(self) -> Array:
        """The variable as the store answers it, (n, dim); made anew at each call."""
        return self.estimate(np.arange(self.n))

    @property
    def nbytes(self) -> int:
        """Bytes of both vectors."""
        return self.left.nbytes + self.right.nbytes

    def state(self) -> dict[str, Any]:
        """Everything that changes during a run: the live vectors themselves."""
        return {"left": self.left, "right": self.right}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; shapes and dtypes have been checked by the caller."""
        self.left[...] = state["left"]
        self.right[...] = state["right"]


class Rank1Store(RankOneStore):
    """Row sums and column sums; x̂ = row sum · column sum / total."""

    def advance(
        self, rows: Array, values: Array, keep: float, gain: float, squared: bool = False
    ) -> None:
        """One step x ← keep·x + gain·u: the sums follow the change of the touched rows."""
        if self.decay == "global":
            self.scale(keep)
            change = contribution(squared, gain, values)
        else:
            added = contribution(squared, gain, values)
            change = lazy_change(self.estimate(rows), added, keep - 1.0)
        with np.errstate(over="ignore"):
            left = change.sum(axis=1)
            left += self.left[rows]
            self.left[rows] = self._saturated(left, out=left)
            self.right[...] = self._saturated(self.right + change.sum(axis=0))

    def estimate(self, rows: Array) -> Array:
        """Row sum · column sum / total, and zero while nothing has been added."""
        total = self._total()
        if total == 0:
            return np.zeros((len(rows), self.dim), self.dtype)
        return outer_estimate(self.left[rows][:, None], self.right, total)

    def _total(self):
        with np.errstate(over="ignore"):
            return self._saturated(self.right.sum())

    def _saturated(self, sums, out=None):
        """Sums no larger than the largest number: infinities would make every row's answer NaN.

        Entries that do not overflow can have sums that do; a row sum and the total that both end
        at the largest number still give the row's answer in the right order of magnitude.
        """
        return np.minimum(sums, np.finfo(self.dtype).max, out=out)

    def scale(self, factor: float) -> Self:
        """Multiply both sums by a factor, not below zero; returns the store."""
        factor = self.dtype.type(checked_number("factor", factor, 0))
        self.left *= factor
        self.right *= factor
        return self

    def merge(self, other: Self) -> Self:
        """Add another store's sums, which are those of the sum of both; returns this store."""
        self._check_mergeable(other)
        self.left += other.left
        self.right += other.right
        return self


@dataclass(frozen=True)
class Rank1(Description[Rank1Store]):
    """Keep a non-negative variable as the outer product of its row and column sums.

    The non-negative factorisation that Adafactor uses (Shazeer & Stern 2018), "LR-NMF" in
    Spring et al. (2019): n + dim numbers.

    Parameters
    ----------
    decay : {"lazy", "global"}
        ``"lazy"``: only the rows of a step decay, by their estimate, as in Algorithm 4.
        ``"global"``: both sums decay at every step.

    Examples
    --------
    >>> store = Rank1().allocate(n=3, dim=2)
    >>> store.update([0, 2], [[1.0, 3.0], [2.0, 6.0]])
    >>> store.query([0, 1, 2])
    array([[1., 3.],
           [0., 0.],
           [2., 6.]], dtype=float32)
    """

    signed: ClassVar[bool] = False

    decay: Literal["lazy", "global"] = "lazy"

    def __post_init__(self):
        checked_choice("decay", self.decay, ("lazy", "global"))

    def _live(self, n, dim, dtype, zeros):
        return Rank1Store(self, n, dim, dtype, zeros)


class Rank1SVDStore(RankOneStore):
    """left ⊗ right, the nearest rank-one matrix after every step."""

    def advance(
        self, rows: Array, values: Array, keep: float, gain: float, squared: bool = False
    ) -> None:
        """The exact step on the whole matrix, then its leading singular pair."""
        matrix = np.outer(self.left, self.right)
        if self.decay == "global":
            matrix *= self.dtype.type(keep)
        else:
            matrix[rows] *= self.dtype.type(keep)
        matrix[rows] += contribution(squared, gain, values)
        u, s, vh = np.linalg.svd(matrix, full_matrices=False)
        self.left, self.right = u[:, 0] * s[0], vh[0].copy()

    def estimate(self, rows: Array) -> Array:
        """Rows of the outer product."""
        return np.outer(self.left[rows], self.right)

    def scale(self, factor: float) -> Self:
        """Multiply the matrix by a factor; returns the store."""
        self.left *= self.dtype.type(checked_number("factor", factor, -math.inf))
        return self


@dataclass(frozen=True)
class Rank1SVD(Description[Rank1SVDStore]):
    """Keep the best rank-one approximation of a variable, found anew at every step.

    The "ℓ2 rank-1" of Spring et al. (2019), for analysis only: each step makes the full n × dim
    matrix and decomposes it.

    Parameters
    ----------
    decay : {"lazy", "global"}
        Whether only the rows of a step decay, or all.

    Examples
    --------
    >>> store = Rank1SVD().allocate(n=3, dim=2, dtype=np.float64)
    >>> store.update([0, 2], [[1.0, -3.0], [2.0, -6.0]])
    >>> store.query([0, 1, 2]).round(6) + 0.0
    array([[ 1., -3.],
           [ 0.,  0.],
           [ 2., -6.]])
    """

    decay: Literal["lazy", "global"] = "lazy"

    def __post_init__(self):
        checked_choice("decay", self.decay, ("lazy", "global"))

    def _live(self, n, dim, dtype, zeros):
        return Rank1SVDStore(self, n, dim, dtype, zeros)
