"""The arithmetic of stores, of arrays or of compiled scalars: written once, run by every backend.

A store works on *cells*: row i of a variable lives in `depth` cells, each a run of `dim` numbers.
These functions say what a step does to an estimate or to a cell; the loops are elsewhere. They
take ``keep_less_one`` = keep − 1 as an argument, because a Python literal beside a float32 turns
compiled arithmetic into float64.
"""

import numpy as np
from numba.extending import register_jitable

from sketchlab.rules.arithmetic import higher, lower, ratio

__all__ = [
    "active_cell",
    "below_line",
    "bucket_mean",
    "conservative_target",
    "contribution",
    "joined",
    "lazy_change",
    "median_of_three",
    "nearest_code",
    "outer_estimate",
    "own_cell",
    "smaller_bound",
    "trusted_part",
    "weighted_scale",
    "whole_code",
]


@register_jitable
def contribution(squared, gain, value):
    """What a value adds to a variable, gain·u: with u the value, or its square.

    The square is formed as (gain·value)·value, so that a large value does not overflow before it
    is scaled.
    """
    if squared:
        return gain * value * value
    return gain * value


@register_jitable
def lazy_change(estimate, contribution, keep_less_one):
    """What Algorithms 2–4 add to each cell of a touched row: (keep − 1)·x̂ + gain·u."""
    return keep_less_one * estimate + contribution


@register_jitable
def active_cell(cell, active_rows, keep_less_one):
    """A cell decayed once by each of the active rows in it, all reading it before any writes.

    The ``bucket`` decay of the released kernels: cell + K·(keep − 1)·cell for K active rows.
    """
    return cell + active_rows * keep_less_one * cell


@register_jitable
def own_cell(cell, contribution, keep_less_one):
    """A cell after the step of one row alone: the exact variable, lazily decayed.

    It is also what a row of a sketch with ``bucket`` decay is answered: each of its cells with
    its own update and no other row's (the released kernels). The median and the minimum keep
    order, so that it is the same whether it is taken of the cells or of their combination.
    """
    return cell + keep_less_one * cell + contribution


@register_jitable
def conservative_target(estimate, contribution):
    """What the cells of a row must at least hold after a conservative step: x̂ + gain·u."""
    return estimate + contribution


@register_jitable
def median_of_three(a, b, c):
    """The middle one of three numbers."""
    return higher(lower(a, b), lower(higher(a, b), c))


@register_jitable
def outer_estimate(row_sum, column_sum, total):
    """What a rank-one store answers: row sum · column sum / total (Shazeer & Stern 2018).

    Zero while the total is zero: nothing has been added.
    """
    return row_sum * ratio(column_sum, total)


@register_jitable
def weighted_scale(multiplier, full_weight, weight):
    """What turns an answer of a divided table into the store's, where rows have weights.

    The answer becomes the weighted mean of what the row was given, times the weight of a row that
    every step touches. Zero for a row that was never touched.
    """
    return ratio(multiplier * full_weight, weight)


@register_jitable
def trusted_part(variance, depth, square_of_mean, mean_square):
    """The part f of a count-sketch's answer that is kept where its readings differ.

    f = cross/(cross + κ·(auto − cross)), in float64, from the square of the mean reading ē and the
    mean square of the `depth` readings e_j: auto = mean ‖e_j‖², and the mean product of two of them
    is cross = ‖ē‖² − (auto − ‖ē‖²)/(depth − 1). `variance` is κ, that of the answer over that of a
    reading. Zero where cross is not positive, and where squares are too large for float64.
    """
    spread = mean_square - square_of_mean
    share = spread / (depth - 1)
    cross = np.fmax(square_of_mean - share, 0.0)  # 0 for a NaN, too
    error = np.fmax(spread + share, 0.0)
    return ratio(cross, cross + variance * error)


@register_jitable
def joined(part, past, added):
    """What a shrunken answer is made of, or its weight: the trusted part of the past, and now."""
    return part * past + added


@register_jitable
def bucket_mean(full_weight, total, weight):
    """The weighted mean of a bucket, total / weight, times the weight of a row always touched.

    Zero for a bucket that was never touched. The factor comes first: a mean can overflow where
    `full_weight` times it does not.
    """
    return ratio(full_weight * total, weight)


@register_jitable
def smaller_bound(row_bound, column_bound):
    """What SM3 answers: the smaller of the two bounds of an entry."""
    return lower(row_bound, column_bound)


@register_jitable
def nearest_code(lines, magnitude):
    """The code of the number nearest to a magnitude in [0, 1]; see `code_book.code_lines`.

    In the middle between two numbers it is the code of the larger one.
    """
    code = lines[0, 0] * magnitude
    for place in range(1, lines.shape[0]):
        code = below_line(code, lines[place, 0], lines[place, 1], magnitude)
    return whole_code(lines, code)


@register_jitable
def below_line(code, slope, offset, magnitude):
    """A code that is not above the line of one more place."""
    return lower(code, slope * magnitude + offset)


@register_jitable
def whole_code(lines, code):
    """The nearest whole number, in the middle the larger one."""
    return np.uint8(code + lines.dtype.type(0.5))
