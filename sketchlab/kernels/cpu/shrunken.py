"""Shrunken answers: how far a row's readings agree, and what is joined with its gradient.

See `CellStore.shrunken_answers`.
"""

import numpy as np
from numba.extending import register_jitable

from sketchlab.kernels.cpu.numbers import number
from sketchlab.kernels.cpu.tiles import combined, has_readings, read_tile, readings_of
from sketchlab.stores.arithmetic import (
    contribution,
    joined,
    trusted_part,
    weighted_scale,
)

__all__ = ["read_shrunken"]

# Sums in any order are vectorised. A row is summed by one thread, in one order on one machine.
_SUMS = {"reassoc", "contract"}
# Between these a sum of squares is good in single precision, which takes half of the time.
_SMALL, _LARGE = 1e-30, 1e30


@register_jitable
def squares_of_three(readings, share):
    """The square of the mean of three readings, and the mean of their squares.

    `share` is 1/3.
    """
    found = sums_of_three(readings, share)
    square_of_mean, mean_square = np.float64(found[0]), np.float64(found[1])
    if not _SMALL < mean_square < _LARGE:
        return sums_of_three(readings, np.float64(1 / 3))
    return square_of_mean, mean_square


@register_jitable(fastmath=_SUMS)
def sums_of_three(readings, share):
    """The same, in the type of `share`, which is 1/3."""
    square_of_mean = total = share - share
    for c in range(readings.first.size):
        a = share * readings.sign1 * number(readings.first[c])
        b = share * readings.sign2 * number(readings.second[c])
        d = share * readings.sign3 * number(readings.third[c])
        mean = a + b + d
        square_of_mean += mean * mean
        total += a * a + b * b + d * d
    return square_of_mean, total / share


@register_jitable(fastmath=_SUMS)
def squares(readings, start, stop):
    """The same of the columns from `start` to `stop` of any number of runs, in double precision."""
    square_of_mean = mean_square = 0.0
    depth = readings.shape[0]
    share = 1 / depth
    for c in range(start, stop):
        mean = 0.0
        for j in range(depth):
            reading = np.float64(readings[j, c])
            mean += share * reading
            mean_square += reading * reading
        square_of_mean += mean * mean
    return square_of_mean, share * mean_square


@register_jitable
def trust_in(view, i, past, measured):
    """Which part of row number i's answer to trust, whose weight was `past`."""
    part = view.weights.dtype.type
    if view.slots[0, i] < view.heads:
        return part(1)
    if past == 0:
        return part(0)  # never touched: what is read is noise
    return part(trusted_part(view.variance, view.constants.shape[0], *measured))


@register_jitable
def join(part, gradient, gain, answer):
    """Join the trusted part of an answer with a gradient."""
    for c in range(answer.size):
        answer[c] = joined(part, answer[c], contribution(False, gain, gradient[c]))


@register_jitable
def read_shrunken(view, rows, start, stop, tile_rows, gradient, ordered, answer):
    """The answers of a tile in a step that is yet to add its gradients; what to multiply them by.

    The rows' weights have the step added then. `ordered` is scratch, as for `read_tile`, of as many
    runs as the view has hash functions.
    """
    dim, gain = view.cells.shape[1], view.gain
    slots, signs, full, weights = view.slots, view.signs, view.full, view.weights
    to = weights.dtype.type
    one = to(1)
    if has_readings(view, tile_rows):
        readings = readings_of(view, slots, signs, start)
        past = weights[rows[start]]
        part = trust_in(view, start, past, squares_of_three(readings, to(1 / 3)))
        for c in range(answer.size):
            median = combined(readings, c)
            answer[c] = joined(part, median, contribution(False, gain, gradient[c]))
        weights[rows[start]] = past + gain
        return weighted_scale(one, full, joined(part, past, gain))
    read_tile(view, slots, signs, start, stop, tile_rows, ordered, answer)
    for i in range(start, stop):
        begin, end = (i - start) * dim, (i - start + 1) * dim
        # the median has reordered the readings of each column, which their sums do not see
        past = weights[rows[i]]
        part = trust_in(view, i, past, squares(ordered, begin, end))
        row = answer[begin:end]
        join(part, gradient[begin:end], gain, row)
        scale = weighted_scale(one, full, joined(part, past, gain))
        weights[rows[i]] = past + gain
        for c in range(dim):
            row[c] *= scale
    return one
