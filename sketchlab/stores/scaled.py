"""Stores that decay as a whole in O(1): their arrays are kept divided by one number."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sketchlab.annotations import Array, DType, Self
from sketchlab.stores.arithmetic import contribution
from sketchlab.stores.live import LiveStore
from sketchlab.validation import checked_number

if TYPE_CHECKING:
    from sketchlab.stores.description import Description

__all__ = ["ScaledStore"]

# The multiplier stays within 2**±20: folding it in, which costs a pass over the arrays, then comes
# once in 130 steps at keep = 0.9. A float32 has room for values up to 3e32 in the divided arrays;
# where more is to be added, the multiplier is folded in before.
_LARGEST = 2.0**20


def largest_contribution(squared, gain, values):
    """The largest magnitude of what some values add to a variable.

    Parameters
    ----------
    squared : bool
    gain : float
    values : ndarray
    """
    largest = max(values.max(initial=0), -values.min(initial=0))  # without a temporary array
    return contribution(squared, gain, float(largest))


class ScaledStore(LiveStore):
    """A live store whose values are ``multiplier`` times what its arrays hold.

    A kind of store names its arrays, and those among them that the multiplier belongs to.

    Attributes
    ----------
    multiplier : float
    """

    #: Attributes that hold what changes in a run.
    arrays: ClassVar[tuple[str, ...]]
    #: Those that are divided by the multiplier.
    divided: ClassVar[tuple[str, ...]]

    def __init__(self, description: "Description[Any]", n: int, dim: int, dtype: DType) -> None:
        super().__init__(description, n, dim, dtype)
        self.multiplier = 1.0
        self._room = float(np.finfo(dtype).max) / _LARGEST

    def lacks_room(self, largest: float) -> bool:
        """Whether an addition as large could overflow in the divided arrays, made many times."""
        return largest > self._room * abs(self.multiplier) and self.multiplier != 1

    def make_room(self, largest: float) -> None:
        """Fold the multiplier in where a large addition to the divided arrays would overflow.

        Parameters
        ----------
        largest : float
            The largest magnitude that the next step adds; see `largest_contribution`.
        """
        if self.lacks_room(largest):
            self.settle()

    def begin_step(self, keep: float, gain: float) -> float:
        """Decay everything where the decay is global; the gain as the divided arrays need it."""
        if self.decay == "global":
            self._multiply(keep)
        return gain / self.multiplier

    def _multiply(self, factor):
        self.multiplier *= factor
        if not 1 / _LARGEST <= abs(self.multiplier) <= _LARGEST:
            self.settle()

    def settle(self) -> None:
        """Fold the multiplier into the arrays."""
        self.multiplier, factor = self._split()
        self._fold_in(factor)

    def _split(self):
        """What is left of the multiplier, and the factor that is folded in."""
        return 1.0, self.multiplier

    def _fold_in(self, factor):
        for name in self.divided:
            array = getattr(self, name)
            if factor == 0:
                array.fill(0)  # 0 · inf would be NaN
            elif factor != 1:
                array *= self.dtype.type(factor)

    def scale(self, factor: float) -> Self:
        """Multiply the whole store by a factor, in O(1); returns the store.

        Raises
        ------
        ConfigurationError
            If the factor is not finite, or negative for a store of non-negative values.
        """
        self._multiply(self._checked_factor(factor))
        return self

    def _checked_factor(self, factor):
        low = -math.inf if self.description.signed else 0
        return checked_number("factor", factor, low)

    def merge(self, other: Self) -> Self:
        """Add another store's numbers to this one's; returns this store.

        Raises
        ------
        ConfigurationError
            If the stores differ in kind, shape or dtype.
        """
        self._check_mergeable(other)
        self.settle()
        for name in self.divided:
            array = getattr(self, name)
            array += self.dtype.type(other.multiplier) * getattr(other, name)
        return self

    @property
    def table(self) -> Array:
        """The variable as the store answers it, (n, dim); made anew at each call."""
        return self.estimate(np.arange(self.n))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, name).nbytes for name in self.arrays)

    def state(self) -> dict[str, Any]:
        """Everything that changes during a run, as numbers and the live arrays themselves."""
        return {name: getattr(self, name) for name in self.arrays} | {"multiplier": self.multiplier}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; shapes and dtypes have been checked by the caller."""
        for name in self.arrays:
            getattr(self, name)[...] = state[name]
        self.multiplier = float(state["multiplier"])
