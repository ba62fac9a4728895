"""How the moments of each parameter of a group are kept: its own hash seeds, exact where small."""

from sketchlab.hashing import splitmix64
from sketchlab.stores import Dense

__all__ = ["parameter_seed", "store_for"]


def parameter_seed(seed: int, place: int) -> int:
    """The hash seed of one parameter: output number `place` of splitmix64 started at `seed`.

    Parameters
    ----------
    seed : int
        Of the store that the group names.
    place : int
        Number of the parameter, counted from 0 through all groups: its key in ``state_dict()``.

    Returns
    -------
    int
        The same in every process.

    Examples
    --------
    >>> parameter_seed(1234567, 0), parameter_seed(1234567, 1)
    (6457827717110365317, 3203168211198807973)
    """
    return splitmix64(seed, place + 1)[place]


def store_for(description, small, place):
    """How a moment of the parameter with the number `place` is kept, from its group's store.

    A small one is kept exactly, decaying as the group's store does.
    """
    if small and not isinstance(description, Dense):
        decay = "global" if description.decay == "global" else "lazy"
        return Dense(decay=decay, row_weights=getattr(description, "row_weights", False))
    hashed = getattr(description, "tail", description)
    if not hasattr(hashed, "seed"):
        return description
    return description.with_seed(parameter_seed(hashed.seed, place))
