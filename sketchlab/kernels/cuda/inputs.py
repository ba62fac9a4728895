"""Checks of tables, gradients and rows on the device, made on the host without waiting for it."""

import math

import numpy as np

from sketchlab.errors import InputError
from sketchlab.kernels.cuda.arrays import as_device, empty
from sketchlab.kernels.cuda.elementwise import fill, find_bad_row, find_not_finite
from sketchlab.validation import FLOATS

__all__ = ["check_finite_grads", "check_rows", "checked_grads", "checked_rows", "checked_table"]

_NONE = np.iinfo(np.int64).max


def checked_table(table):
    """`table` as rows of columns on the device, when it can be updated in place."""
    raw = as_device("table", table)
    if np.dtype(raw.dtype) not in FLOATS:
        raise InputError(f"table has dtype {raw.dtype}: float32 and float64 are supported")
    if raw.ndim == 0 or raw.size == 0:
        raise InputError(
            f"table has shape {tuple(raw.shape)}: it needs at least one row and one column"
        )
    if not raw.is_c_contiguous():
        raise InputError("table is not C-contiguous, so its rows cannot be updated in place")
    if (getattr(table, "__cuda_array_interface__", None) or {}).get("data", (0, False))[1]:
        raise InputError("table is read-only, so it cannot be updated in place: give a copy")
    return raw.reshape(raw.shape[0], raw.size // raw.shape[0])


def checked_grads(grads, shapes, dtype):
    """`grads` with one of the `shapes`, viewed as the last; None where there are none."""
    raw = as_device("grads", grads)
    shape = tuple(raw.shape)
    if np.dtype(raw.dtype) != dtype:
        raise InputError(f"grads have dtype {raw.dtype}: give the dtype of the table, {dtype}")
    if shape not in shapes:
        wanted = " or ".join(str(shape) for shape in dict.fromkeys(shapes))
        raise InputError(f"grads have shape {shape}: give {wanted}")
    if math.prod(shape) and not raw.is_c_contiguous():
        raise InputError("grads are not C-contiguous: give a contiguous copy")
    return raw.reshape(shapes[-1]) if math.prod(shape) else None


def checked_rows(rows):
    """`rows` as a flat device array of integers; their values are left to the kernels."""
    raw = as_device("rows", rows)
    if np.dtype(raw.dtype).kind not in "iu":
        raise InputError(f"rows have dtype {raw.dtype}: give integer row numbers")
    if raw.ndim != 1:
        raise InputError(f"rows have shape {tuple(raw.shape)}: give one dimension, (k,)")
    return raw


def check_rows(run, rows, n):
    """Raise an `InputError` for a row outside [0, n). Waits for the device."""
    at = _first(run, find_bad_row, rows.size, rows, n)
    if at is not None:
        raise InputError(f"rows[{at}] is out of range: rows go from 0 to {n - 1}")


def check_finite_grads(run, grads):
    """Raise an `InputError` for an infinity or NaN. Waits for the device."""
    at = _first(run, find_not_finite, grads.size, grads.reshape(grads.size))
    if at is not None:
        place = ", ".join(str(int(i)) for i in np.unravel_index(at, grads.shape))
        raise InputError(
            f"grads[{place}] is not finite: clip or skip this step, "
            "a non-finite value would stay in the state"
        )


def _first(run, kernel, count, array, *arguments):
    """The smallest place that a kernel finds, or None."""
    first = empty(1, np.int64)
    run.flat(fill, 1, first, np.int64(_NONE))
    run.flat(kernel, count, array, *arguments, first)
    at = int(first.copy_to_host(stream=run.stream)[0])
    return None if at == _NONE else at
