"""Checks of tables, gradients and rows on the device, made on the host without waiting for it."""

import numpy as np

from sketchlab.errors import BackendError, InputError
from sketchlab.kernels.cuda.arrays import as_device
from sketchlab.kernels.cuda.elementwise import fill, find_bad_row, find_not_finite
from sketchlab.kernels.cuda.memory import allocate
from sketchlab.validation import FLOATS

__all__ = [
    "check_current_device",
    "check_finite_grads",
    "check_rows",
    "checked_grads",
    "checked_rows",
    "checked_table",
]

_NONE = np.iinfo(np.int64).max


def checked_table(run, table, stream):
    """`table` as rows of columns on the device, when it can be updated in place."""
    memory, contiguous, read_only = as_device("table", table, stream)
    shape = memory.shape
    if memory.dtype not in FLOATS:
        raise InputError(f"table has dtype {memory.dtype}: float32 and float64 are supported")
    if not shape or memory.size == 0:
        raise InputError(f"table has shape {shape}: it needs at least one row and one column")
    if not contiguous:
        raise InputError("table is not C-contiguous, so its rows cannot be updated in place")
    if read_only:
        raise InputError("table is read-only, so it cannot be updated in place: give a copy")
    _check_device(run, "table", memory)
    return memory.reshape(shape[0], memory.size // shape[0])


def checked_grads(run, grads, shapes, dtype, stream):
    """`grads` with one of the `shapes`, viewed as the last; None where there are none."""
    memory, contiguous, _ = as_device("grads", grads, stream)
    shape = memory.shape
    if memory.dtype != dtype:
        raise InputError(f"grads have dtype {memory.dtype}: give the dtype of the table, {dtype}")
    if shape not in shapes:
        wanted = " or ".join(str(shape) for shape in dict.fromkeys(shapes))
        raise InputError(f"grads have shape {shape}: give {wanted}")
    if not memory.size:
        return None
    if not contiguous:
        raise InputError("grads are not C-contiguous: give a contiguous copy")
    _check_device(run, "grads", memory)
    return memory.reshape(shapes[-1])


def checked_rows(run, rows, stream):
    """`rows` as flat memory of integers; their values are left to the kernels."""
    memory, contiguous, _ = as_device("rows", rows, stream)
    if memory.dtype.kind not in "iu":
        raise InputError(f"rows have dtype {memory.dtype}: give integer row numbers")
    if len(memory.shape) != 1:
        raise InputError(f"rows have shape {memory.shape}: give one dimension, (k,)")
    if not contiguous:
        raise InputError("rows are not contiguous: give a contiguous copy")
    if memory.size:
        _check_device(run, "rows", memory)
    return memory


def _check_device(run, name, memory):
    device = run.machine.device_of(memory.address)
    if device != run.device:
        raise InputError(
            f"{name}: on device {device}, this optimizer works on device {run.device}: keep the "
            "table, gradients and rows of an optimizer on one device, and make it while that is "
            "the current one (numba.cuda.select_device, torch.cuda.device)"
        )


def check_current_device(run):
    """Raise a `BackendError` where another device than the optimizer's is the current one."""
    device = run.machine.current_device()
    if device != run.device:
        raise BackendError(
            f"the current device is {device}, this optimizer works on device {run.device}: step "
            f"while that is the current one, as inside torch.cuda.device({run.device})"
        )


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
    first = allocate(1, np.int64)
    run.flat(fill, 1, first, np.int64(_NONE))
    run.flat(kernel, count, array, *arguments, first)
    at = int(run.to_host(first)[0])
    return None if at == _NONE else at
