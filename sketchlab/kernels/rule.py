"""The rule as compiled kernels call it: one function, chosen by the type of its scalars."""

from sketchlab.kernels.numba_private import by_type
from sketchlab.rules import UPDATES

__all__ = ["update"]


@by_type(UPDATES)
def update(h, x, g, *moments):
    """The rule named by the type of its scalars `h`: the parameter after the step."""
