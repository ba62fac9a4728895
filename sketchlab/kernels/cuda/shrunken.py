"""Shrunken answers on the device: how far a row's readings agree, measured before a step adds."""

from typing import NamedTuple

import numpy as np

from sketchlab.kernels.cuda.active import row_at
from sketchlab.kernels.cuda.loops import (
    column_step,
    first_column,
    first_item,
    first_row,
    item_step,
    row_step,
)
from sketchlab.kernels.cuda.views import MOMENTS, MedianCells, read, signed_cell
from sketchlab.stores.arithmetic import contribution, joined, trusted_part, weighted_scale

__all__ = ["LANES", "ShrunkenAnswers", "find_parts", "sum_squares"]

#: Threads that share a row's sums; so many floats are what a GPU reads at once.
LANES = 8


class ShrunkenAnswers(NamedTuple):
    """A count-sketch as it was before the step, and what the rows' answers are made of."""

    before: MedianCells
    parts: object  # (items,): of the past, what is trusted
    scales: object  # (items,): of past and gradient together
    gain: np.floating


# Sums are in double precision, in which no square of a float overflows or vanishes.
def sum_squares(view, active, items, sums):
    """Squares of the mean reading and the mean squares of readings, a column in LANES."""
    depth, share = len(view.constants) // 4, 1 / (len(view.constants) // 4)
    for i in range(first_row(), items, row_step()):
        row = row_at(active, i)
        if row >= 0:
            for lane in range(first_column(), LANES, column_step()):
                square_of_mean = mean_square = 0.0
                for c in range(lane, view.cells.shape[1], LANES):
                    mean = 0.0
                    for j in range(depth):
                        reading = np.float64(signed_cell(view, row, j, c))
                        mean += share * reading
                        mean_square += reading * reading
                    square_of_mean += mean * mean
                sums[i, 0, lane] = square_of_mean
                sums[i, 1, lane] = share * mean_square


def find_parts(view, variance, active, items, gain, sums, parts, scales):
    """Which part of each active row's past to trust, and the scale of its answer."""
    number = view.weights.values.dtype.type
    for i in range(first_item(), items, item_step()):
        row = row_at(active, i)
        if row >= 0:
            past, part = view.weights.values[row], number(0)
            if row < view.heads:
                part = number(1)
            elif past != 0:  # else never touched: what is read is noise
                square_of_mean = mean_square = 0.0
                for lane in range(LANES):
                    square_of_mean += sums[i, 0, lane]
                    mean_square += sums[i, 1, lane]
                depth = len(view.constants) // 4
                part = number(trusted_part(variance, depth, square_of_mean, mean_square))
            parts[i] = part
            scales[i] = weighted_scale(number(1), view.weights.full, joined(part, past, gain))


def _of_shrunken(view, before, i, row, c, gradient):
    added = contribution(False, view.gain, gradient)
    return view.scales[i] * joined(view.parts[i], read(view.before, row, c), added)


MOMENTS[ShrunkenAnswers] = _of_shrunken
