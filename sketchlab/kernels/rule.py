"""The rule as compiled kernels call it: one function, chosen by the type of its scalars."""

from numba.extending import overload

from sketchlab.rules import SCALARS, updates

__all__ = ["update"]

_UPDATES = updates(SCALARS)


def update(h, x, g, m, v):
    """The rule named by the type of its scalars `h`: the parameter after the step.

    In plain Python (and in a simulator) it looks the rule up; compiled, the rule takes its place.
    """
    return _UPDATES[type(h)](h, x, g, m, v)


@overload(update)
def _compile_update(h, x, g, m, v):
    return _UPDATES.get(getattr(h, "instance_class", None))
