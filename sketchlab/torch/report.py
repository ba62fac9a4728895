"""What an optimizer keeps of every parameter, and how many bytes that takes."""

from typing import NamedTuple

import numpy as np

__all__ = ["ParameterBytes", "StateBytes", "describe", "measure"]


class ParameterBytes(NamedTuple):
    """Bytes of state of one parameter.

    Attributes
    ----------
    name : str
        Its name where the optimizer was given names, else its number.
    shape : tuple
    kept, exact : int
        What its state takes, and what exact state would take; both with the master copy of a
        parameter in half precision.
    """

    name: str
    shape: tuple
    kept: int
    exact: int


class StateBytes(NamedTuple):
    """Bytes of state of an optimizer.

    Attributes
    ----------
    kept, exact : int
        What the state takes in all, and what exact state would take.
    parameters : list of ParameterBytes
    """

    kept: int
    exact: int
    parameters: list


def measure(optimizer):
    """The bytes of an optimizer's state."""
    parameters = []
    for name, parameter, kept in optimizer.kept():
        master = 0 if kept.master is None else kept.master.nbytes
        numbers = parameter.numel() * kept.core.dtype.itemsize
        parameters.append(
            ParameterBytes(
                name,
                tuple(parameter.shape),
                kept.core.nbytes + master,
                len(kept.moments) * numbers + master,
            )
        )
    return StateBytes(
        sum(parameter.kept for parameter in parameters),
        sum(parameter.exact for parameter in parameters),
        parameters,
    )


def describe(optimizer):
    """One line for every parameter: its shape, how it is seen, and how its moments are kept."""
    lines = []
    for name, parameter, kept in optimizer.kept():
        seen = " x ".join(map(str, _rows_and_columns(kept.core.table.shape)))
        moments = "".join(f", {name}={store.description}" for name, store in kept.moments.items())
        master = "" if kept.master is None else ", float32 master"
        shape = tuple(parameter.shape)
        lines.append(f"    {name}: {shape} seen as {seen}{moments}{master}\n")
    return "Parameters\n" + "".join(lines)


def _rows_and_columns(shape):
    return int(shape[0]), int(np.prod(shape[1:], dtype=np.int64))
