"""Checks of what callers hand in. Each returns the value in the form the library works with.

Nothing is changed before these have passed, and each message says what was given, what is needed
and what to do.
"""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from sketchlab.annotations import Array, DType
from sketchlab.errors import ConfigurationError, InputError

__all__ = [
    "checked_choice",
    "checked_count",
    "checked_flag",
    "checked_number",
    "checked_rows",
    "checked_table",
    "checked_values",
    "refuse_not_finite",
    "refuse_outside",
    "row_numbers",
]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def checked_number(
    name: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    below: float | None = None,
) -> float:
    """`value` as a float in [low, high], or in [low, below)."""
    number = isinstance(value, (Real, np.number)) and not isinstance(value, (bool, np.bool_))
    fits = number and math.isfinite(value) and low <= value <= high
    if not fits or (below is not None and value >= below):
        lower = "" if low == -math.inf else f" and at least {low}"
        upper = f" and below {below}" if below is not None else f" and at most {high}"
        upper = "" if upper.endswith("inf") else upper
        raise ConfigurationError(f"{name}={value!r}: must be finite{lower}{upper}")
    return float(value)


def checked_flag(name: str, value: Any) -> bool:
    """`value`, True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ConfigurationError(f"{name}={value!r}: give True or False")
    return bool(value)


def checked_count(name: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as an int in [low, high]."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        limit = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ConfigurationError(f"{name}={value!r}: give an integer {limit}")
    return int(value)


def checked_choice(name, value, choices):
    """`value`, one of `choices`."""
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ConfigurationError(f"{name}={value!r}: choose one of {known}")
    return value


def checked_table(table):
    """`table`, when it can be updated in place as rows of contiguous numbers."""
    _refuse_masked("table", table)
    if not isinstance(table, np.ndarray):
        raise InputError(
            f"table is a {type(table).__name__}: give a NumPy array, it is updated in place"
        )
    if table.dtype not in FLOATS or not table.dtype.isnative:
        raise InputError(
            f"table has dtype {table.dtype}: float32 and float64 are supported, "
            "convert it with table.astype(numpy.float32)"
        )
    if table.ndim == 0 or table.size == 0:
        raise InputError(f"table has shape {table.shape}: it needs at least one row and one column")
    if not table.flags.c_contiguous:
        raise InputError(
            "table is not C-contiguous, so its rows cannot be updated in place: "
            "give numpy.ascontiguousarray(table) and keep that array"
        )
    if not table.flags.writeable:
        raise InputError("table is read-only, so it cannot be updated in place: give a copy")
    return table


def checked_rows(rows: Any, n: int) -> Array:
    """Row numbers as a contiguous int64 array (k,), each in [0, n)."""
    numbers = row_numbers(rows)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= n):
        refuse_outside(rows, n)
    return numbers


def row_numbers(rows: Any) -> Array:
    """The same, of any size; numbers over 2**63 come out negative."""
    rows = _as_array("rows", rows, "integers")
    if rows.size == 0 and rows.ndim == 1:
        return np.empty(0, np.int64)
    if rows.dtype.kind not in "iu":
        raise InputError(f"rows have dtype {rows.dtype}: give integer row numbers")
    if rows.ndim != 1:
        raise InputError(f"rows have shape {rows.shape}: give one dimension, (k,)")
    return np.ascontiguousarray(rows, dtype=np.int64)


def refuse_outside(rows: Any, n: int) -> None:
    """Raise for the first row that is not in [0, n), where there is one."""
    rows = np.asarray(rows)
    at = int(np.flatnonzero((rows < 0) | (rows >= n))[0])
    raise InputError(f"rows[{at}] = {rows[at]}: rows go from 0 to {n - 1}")


def checked_values(
    name: str, values: Any, shapes: Sequence[tuple[int, ...]], dtype: DType
) -> Array:
    """`values` as a contiguous array of `dtype` with one of the `shapes`, viewed as the last.

    Parameters
    ----------
    name : str
        What the caller calls them, for the message.
    values : array_like
    shapes : sequence of tuple
        Accepted shapes; all have as many elements as the last one, the shape of the result.
    dtype : dtype
    """
    array = _as_array(name, values, "real numbers")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} have dtype {array.dtype}: give real numbers, {dtype} is best")
    if array.shape not in shapes:
        wanted = " or ".join(str(shape) for shape in dict.fromkeys(shapes))
        raise InputError(f"{name} have shape {array.shape}: give {wanted}")
    return np.ascontiguousarray(array, dtype=dtype).reshape(shapes[-1])


def refuse_not_finite(name, array):
    """Raise for the first infinity or NaN in an array that has one."""
    at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    raise InputError(
        f"{name}[{', '.join(map(str, at))}] = {array[at]}: must be finite. Clip the gradients or "
        "skip this step: the number would stay in the state, and reach other rows where these "
        "share cells; check_finite=False lets it through"
    )


def _as_array(name, values, kind):
    """`values` as a NumPy array, refused where something would be lost or copied unasked."""
    if type(values) is np.ndarray:
        return values
    _refuse_masked(name, values)
    _refuse_device_array(name, values)
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{name}: a {type(values).__name__} that cannot be read as one array of {kind} "
            f"({reason}). Give a NumPy array; of a PyTorch tensor give "
            "tensor.detach().float().numpy(), and of a sparse one its indices as rows and its "
            "values as grads"
        ) from None


def _refuse_masked(name, array):
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(
            f"{name}: a masked array, whose mask would have no effect: give {name}.filled(0), or "
            "leave the masked rows out"
        )


def _refuse_device_array(name, array):
    """Raise where an array lies in the memory of a GPU, from which nothing is copied unasked."""
    if hasattr(array, "__cuda_array_interface__") or hasattr(array, "__cuda_ndarray__"):
        raise InputError(
            f"{name}: a {type(array).__name__} on a device, this backend works on NumPy arrays: "
            'copy it to the host, or build the optimizer with a device table and backend="cuda"'
        )
