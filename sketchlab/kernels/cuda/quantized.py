"""Quantised stores on the device: blocks decoded, moved and coded anew."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab.kernels.cuda.active import gradient_at, row_at
from sketchlab.kernels.cuda.driver import cuda
from sketchlab.kernels.cuda.loops import (
    THREADS,
    column_step,
    first_column,
    largest_of_row,
    row_step,
    wait_for_row,
)
from sketchlab.kernels.cuda.views import MOMENTS
from sketchlab.rules.arithmetic import higher
from sketchlab.stores.arithmetic import contribution, lazy_change, nearest_code
from sketchlab.stores.code_book import SIGN

__all__ = ["Codes", "code_blocks_anew"]


class Codes(NamedTuple):
    """A quantised store."""

    codes: object  # uint8 (n, dim)
    scales: object  # (n, blocks), divided by the multiplier
    book: object  # (256,), what codes stand for
    lines: object  # (places, 2), see `stores.code_book`
    block: np.int64
    signed: bool
    multiplier: np.floating
    squared: bool


@register_jitable
def decoded(view, row, c):
    """Column c of a row, not yet times the multiplier."""
    return view.book[view.codes[row, c]] * view.scales[row, c // view.block]


@register_jitable
def moved(view, active, grads, row, i, c, keep_less_one, gain):
    """The same after the step of item i, which is `row`."""
    value = decoded(view, row, c)
    added = contribution(view.squared, gain, gradient_at(active, grads, i, c))
    return value + lazy_change(value, added, keep_less_one)


def code_blocks_anew(view, active, items, grads, keep_less_one, gain):
    """Take the step of every active row, block by block."""
    codes, scales = view.codes, view.scales
    zero = scales.dtype.type(0)
    shared = cuda.shared.array(THREADS, scales.dtype)
    for first in range(cuda.blockIdx.x * cuda.blockDim.y, items, row_step()):
        i, row = first + cuda.threadIdx.y, -1
        if i < items:
            row = row_at(active, i)
        for b in range(scales.shape[1]):
            start, end = b * view.block, min((b + 1) * view.block, codes.shape[1])
            largest = zero
            if row >= 0:
                for c in range(start + first_column(), end, column_step()):
                    value = moved(view, active, grads, row, i, c, keep_less_one, gain)
                    largest = higher(largest, abs(value))
            largest = largest_of_row(shared, largest)
            if row >= 0:
                for c in range(start + first_column(), end, column_step()):
                    value = moved(view, active, grads, row, i, c, keep_less_one, gain)
                    code = np.uint8(0)
                    if largest > zero:
                        code = nearest_code(view.lines, abs(value) / largest)
                    if view.signed and value < zero:
                        code |= SIGN
                    codes[row, c] = code
            wait_for_row()  # the old scale has been read
            if row >= 0 and first_column() == 0:
                scales[row, b] = largest


def _of_codes(view, before, i, row, c, gradient):
    return view.multiplier * decoded(view, row, c)


MOMENTS[Codes] = _of_codes
