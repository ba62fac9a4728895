"""Shrunken answers: how far a row's readings agree, and what is joined with its gradient."""

import numpy as np
from numba.extending import register_jitable

from sketchlab.kernels.cpu.columns import middle_of_three
from sketchlab.kernels.cpu.tiles import read_tile
from sketchlab.stores.arithmetic import contribution, joined, trusted_part, weighted_scale

__all__ = ["read_shrunken"]


# Sums in any order are vectorised. A row is summed by one thread, in one order on one machine.
@register_jitable(fastmath={"reassoc"})
def squares_of_three(first, sign1, second, sign2, third, sign3):
    """The square of the mean of three signed runs, and the mean of their squares, in float64."""
    square_of_mean = mean_square = 0.0
    share = 1 / 3
    for c in range(first.size):
        a, b = np.float64(sign1 * first[c]), np.float64(sign2 * second[c])
        d = np.float64(sign3 * third[c])
        mean = share * (a + b + d)
        square_of_mean += mean * mean
        mean_square += a * a + b * b + d * d
    return square_of_mean, share * mean_square


@register_jitable(fastmath={"reassoc"})
def squares(readings, start, stop):
    """The same of the columns from `start` to `stop` of any number of runs, signs applied."""
    square_of_mean = mean_square = 0.0
    depth = readings.shape[0]
    share = 1 / depth
    for c in range(start, stop):
        total = 0.0
        for j in range(depth):
            reading = np.float64(readings[j, c])
            total += reading
            mean_square += reading * reading
        square_of_mean += share * total * (share * total)
    return square_of_mean, share * mean_square


@register_jitable
def join(view, now, slots, i, measured, gradient, answer):
    """Join the trusted part of row number i's answer with its gradient; the scale of both."""
    number = view.cells.dtype.type
    part = number(trusted_part(view.variance, view.constants.shape[0], *measured))
    if now.past[i] == 0:
        part = number(0)  # never touched: what was read is noise
    if slots[0, i] < view.heads:
        part = number(1)
    for c in range(answer.size):
        answer[c] = joined(part, answer[c], contribution(False, now.gain, gradient[c]))
    return weighted_scale(number(1), now.full, joined(part, now.past[i], now.gain))


@register_jitable
def read_shrunken(view, now, slots, signs, start, stop, tile_rows, gradient, ordered, answer):
    """The answers of a tile in a step that is yet to add its gradients; what to multiply them by.

    See `CellStore.shrunken_answers`.
    """
    cells, dim = view.cells, view.cells.shape[1]
    number = cells.dtype.type
    if view.constants.shape[0] == 3 and tile_rows == 1:
        first, second = cells[slots[0, start]], cells[slots[1, start]]
        third = cells[slots[2, start]]
        sign1, sign2 = number(signs[0, start]), number(signs[1, start])
        sign3 = number(signs[2, start])
        middle_of_three(first, sign1, second, sign2, third, sign3, answer)
        measured = squares_of_three(first, sign1, second, sign2, third, sign3)
        return join(view, now, slots, start, measured, gradient, answer)
    read_tile(view, slots, signs, start, stop, tile_rows, ordered, answer)
    scale = number(1)
    for i in range(start, stop):
        begin, end = (i - start) * dim, (i - start + 1) * dim
        # the median has reordered the readings of each column, which their sums do not see
        measured = squares(ordered, begin, end)
        row = answer[begin:end]
        scale = join(view, now, slots, i, measured, gradient[begin:end], row)
        if tile_rows > 1:
            for c in range(dim):
                row[c] *= scale
    return number(1) if tile_rows > 1 else scale
