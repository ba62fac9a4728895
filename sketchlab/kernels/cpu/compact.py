"""Rows that are kept in less than a number a column, advanced and read in one pass.

One number a row, or codes of one byte; and bucket means, which are read from two sketches.
"""

from numba.extending import register_jitable

from sketchlab.kernels.cpu.columns import combine, largest_of, sum_of
from sketchlab.stores.arithmetic import (
    below_line,
    bucket_mean,
    contribution,
    lazy_change,
    whole_code,
)
from sketchlab.stores.code_book import CODES, SIGN

__all__ = ["advance_codes", "advance_row_means", "read_bucket_means"]


@register_jitable
def advance_row_means(values, rows, start, stop, gradient, squared, less, gain, answer):
    """Advance the numbers (n, 1) of a tile's rows; for every column its row's."""
    dim = gradient.size // (stop - start)
    for i in range(start, stop):
        row, first = rows[i], (i - start) * dim
        shares = answer[first : first + dim]
        for c in range(dim):
            shares[c] = contribution(squared, gain, gradient[first + c])
        values[row, 0] += lazy_change(values[row, 0], sum_of(shares), less)
        for c in range(dim):
            shares[c] = values[row, 0]


@register_jitable
def advance_codes(view, rows, start, stop, gradient, less, gain, scratch, answer):
    """Decode a tile's rows, advance and code them anew; the answers are those of the new codes.

    `scratch` (2, columns).
    """
    codes, scales, block = view.codes, view.cells, view.block
    dim = codes.shape[1]
    for i in range(start, stop):
        row = rows[i]
        for b in range(scales.shape[1]):
            low, high = b * block, min(dim, (b + 1) * block)
            first, size = (i - start) * dim + low, high - low
            values = answer[first : first + size]
            decode(codes[row, low:high], scales[row, b], view.common, values)
            advance_values(values, gradient[first : first + size], view.squared, less, gain)
            scales[row, b] = largest_of(values)
            encode(
                values,
                scales[row, b],
                view.common,
                view.signed,
                scratch[0, :size],
                scratch[1, :size],
                codes[row, low:high],
            )
            decode(codes[row, low:high], scales[row, b], view.common, values)


@register_jitable
def decode(codes, scale, book, values):
    """The numbers that codes stand for."""
    for c in range(codes.size):
        values[c] = book[codes[c]] * scale


@register_jitable
def advance_values(values, gradient, squared, less, gain):
    """Decay values and add a gradient's contribution."""
    for c in range(values.size):
        values[c] += lazy_change(values[c], contribution(squared, gain, gradient[c]), less)


@register_jitable
def encode(values, scale, book, signed, magnitudes, places, codes):
    """The codes that are nearest to values over their scale."""
    lines = book[CODES:].reshape((-1, 2))
    divisor = scale if scale != 0 else book.dtype.type(1)
    for c in range(values.size):
        magnitudes[c] = abs(values[c]) / divisor
        places[c] = lines[0, 0] * magnitudes[c]
    for place in range(1, lines.shape[0]):
        slope, offset = lines[place, 0], lines[place, 1]
        for c in range(values.size):
            places[c] = below_line(places[c], slope, offset, magnitudes[c])
    for c in range(values.size):
        codes[c] = whole_code(book, places[c])
        if signed and values[c] < 0:
            codes[c] |= SIGN


@register_jitable
def read_bucket_means(view, start, stop, ordered, answer):
    """The answers of a tile: the smallest mean of each row's buckets.

    `ordered` (depth, columns) is scratch, one run of it for each hash function.
    """
    cells, weights, slots = view.cells, view.common, view.slots
    depth, dim = view.constants.shape[0], cells.shape[1]
    for j in range(depth):
        for i in range(start, stop):
            cell, first = cells[slots[j, i]], (i - start) * dim
            weight = weights[slots[j, i]]
            for c in range(dim):
                ordered[j, first + c] = bucket_mean(view.full, cell[c], weight)
    combine(False, depth, ordered, answer)
