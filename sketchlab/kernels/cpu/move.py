"""The last part of a step: variables read, the rule applied, parameters moved."""

import numpy as np
from numba import prange
from numba.extending import register_jitable

from sketchlab.kernels.compile import kernel
from sketchlab.kernels.cpu.columns import advance_own
from sketchlab.kernels.cpu.compact import advance_codes, advance_row_means, read_bucket_means
from sketchlab.kernels.cpu.factors import read_factors
from sketchlab.kernels.cpu.prefetch import prefetch_cells, prefetch_row, rows_ahead
from sketchlab.kernels.cpu.shrunken import read_shrunken
from sketchlab.kernels.cpu.tiles import (
    Readings,
    combined,
    gather,
    gather_rounded,
    has_readings,
    read_tile,
    readings_of,
    scatter,
    scatter_rounded,
    tile_of,
)
from sketchlab.kernels.cpu.views import (
    ADD,
    BOUNDS,
    BUCKET,
    CODES,
    GIVEN,
    LARGEST,
    MEANS,
    RANK_ONE,
    ROW_MEAN,
    by_kind,
    grouped,
)
from sketchlab.kernels.numba_private import by_type, in_turn, inlined
from sketchlab.kernels.rule import update
from sketchlab.rules.arithmetic import higher
from sketchlab.stores.arithmetic import weighted_scale

__all__ = ["move", "prefetch_own"]


@inlined
def prefetch_own(view, previous, rows, i):
    """Ask for the cell of row number i."""
    prefetch_row(view.cells, rows[i])


@inlined
def prefetch_hashed(view, previous, rows, i):
    """Ask for all cells of row number i."""
    prefetch_cells(view.cells, view.slots, view.constants.shape[0], i)


@inlined
def prefetch_other(view, previous, rows, i):
    """Ask for what is kept of row number i."""
    if view.mode >= ADD:
        prefetch_cells(view.cells, view.slots, view.constants.shape[0], i)
    elif view.mode != GIVEN:
        prefetch_row(view.cells, rows[i])
        if view.mode == CODES:
            prefetch_row(view.codes, rows[i])


@inlined
def read_own(view, previous, buffer, rows, start, stop, tile_rows, gradient):
    """Advance the cells of a tile's rows, and read them."""
    number, cells = previous[0], view.cells
    answer = buffer[number, : gradient.size]
    if tile_rows > 1:
        gather(cells, rows, start, stop, answer)
    else:  # a long row is worked on where it lies
        answer = cells[rows[start]]
    if view.mode == LARGEST:
        for c in range(answer.size):
            answer[c] = higher(value_of(previous, None, c), answer[c])
    else:
        advance_own(answer, gradient, view.squared, view.keep_less_one, view.gain, None)
    if tile_rows > 1:
        scatter(answer, cells, rows, start, stop)
    return number + 1, answer, scale_of(view, rows, start, stop, answer)


@inlined
def read_own_rounded(view, previous, buffer, rows, start, stop, tile_rows, gradient):
    """The same of cells whose numbers have two bytes."""
    number = previous[0]
    answer = buffer[number, : gradient.size]
    gather_rounded(view.cells, rows, start, stop, answer)
    advance_own(answer, gradient, view.squared, view.keep_less_one, view.gain, None)
    scatter_rounded(answer, view, rows, start, stop)
    return number + 1, answer, scale_of(view, rows, start, stop, answer)


@inlined
def answer_into(answer, view, buffer, start, stop, tile_rows, gradient):
    """Put a tile's answers from a sketch into a run; under bucket decay, those after the step."""
    ordered = buffer[buffer.shape[0] - view.constants.shape[0] :]
    read_tile(view, view.slots, view.signs, start, stop, tile_rows, ordered, answer)
    if view.mode == BUCKET:
        advance_own(answer, gradient, view.squared, view.keep_less_one, view.gain, None)


@inlined
def read_hashed(view, previous, buffer, rows, start, stop, tile_rows, gradient):
    """Read a tile's answers from a sketch; of three hash functions they stay where they lie."""
    number = previous[0]
    answer = buffer[number, : gradient.size]
    one = gradient.dtype.type(1)
    if has_readings(view, tile_rows) and view.mode != BUCKET:
        readings = readings_of(view, view.slots, view.signs, start)
    else:
        answer_into(answer, view, buffer, start, stop, tile_rows, gradient)
        # whatever is combined of three equal readings is each of them
        readings = Readings(answer, answer, answer, one, one, one, view.signed)
    return number + 1, readings, scale_of(view, rows, start, stop, answer)


@inlined
def read_hashed_rounded(view, previous, buffer, rows, start, stop, tile_rows, gradient):
    """The same of cells whose numbers have two bytes."""
    number = previous[0]
    answer = buffer[number, : gradient.size]
    answer_into(answer, view, buffer, start, stop, tile_rows, gradient)
    return number + 1, answer, scale_of(view, rows, start, stop, answer)


@inlined
def read_other(view, previous, buffer, rows, start, stop, tile_rows, gradient):
    """Read a tile's answers; what is kept of its rows alone advances first."""
    number, cells, mode = previous[0], view.cells, view.mode
    less, gain, scale = view.keep_less_one, view.gain, view.multiplier
    runs = 2 if mode == CODES else view.constants.shape[0]
    answer, ordered = buffer[number, : gradient.size], buffer[buffer.shape[0] - runs :]
    if mode == GIVEN:
        answers, first = cells.reshape(-1), start * cells.shape[1]
        for c in range(answer.size):
            answer[c] = answers[first + c]
    elif mode == ROW_MEAN:
        advance_row_means(cells, rows, start, stop, gradient, view.squared, less, gain, answer)
    elif mode == CODES:
        advance_codes(view, rows, start, stop, gradient, less, gain, ordered, answer)
    elif mode in (RANK_ONE, BOUNDS):
        read_factors(cells, view.common, mode == RANK_ONE, rows, start, stop, answer)
    elif mode == MEANS:
        read_bucket_means(view, start, stop, ordered, answer)
    else:
        scale = read_shrunken(view, rows, start, stop, tile_rows, gradient, ordered, answer)
    return number + 1, answer, scale


@by_kind(prefetch_own, prefetch_hashed, prefetch_other)
def prefetch_moment(view, previous, rows, i):
    """Ask for what is kept of row number i."""


@by_kind(read_own, read_hashed, read_other, read_own_rounded, read_hashed_rounded)
def read_moment(view, previous, buffer, rows, start, stop, tile_rows, gradient):
    """Read the answers of a tile; what is kept of its rows alone advances first.

    `previous` is what the moment before gave: the number of the next buffer, its answers, and what
    they are yet to be multiplied by. Returns the same of this moment.
    """


@inlined
def scale_of(view, rows, start, stop, answer):
    """What to multiply a tile's answers by; with rows' weights see `weigh`."""
    if view.weights.size == 0:
        return view.multiplier
    return weigh(view.weights, view.multiplier, view.full, view.gain, rows, start, stop, answer)


@register_jitable
def weigh(weights, multiplier, full, gain, rows, start, stop, answer):
    """Add the step to the weights of a tile's rows; what to multiply its answers by.

    Those of several rows are multiplied here, each by its own.
    """
    dim, scale = answer.size // (stop - start), multiplier
    for i in range(start, stop):
        weights[rows[i]] += gain
        scale = weighted_scale(multiplier, full, weights[rows[i]])
        if stop - start == 1:
            return scale
        first = (i - start) * dim
        for c in range(first, first + dim):
            answer[c] *= scale
    return answer.dtype.type(1)


@inlined
def value_of(read, previous, c):
    """The moment of number c of a tile."""
    return read[2] * answer_of(read[1], c)


@inlined
def _read_before(readings, c):
    return readings[c]


@by_type({Readings: combined, None: _read_before, np.ndarray: _read_before})
def answer_of(readings, c):
    """The answer number c of a tile, as the divided table gives it."""


prefetch_moments, read_moments, values_of = map(in_turn, (prefetch_moment, read_moment, value_of))


@kernel
def move(h, table, rows, grads, source, buffers, parts, tile_rows, *fields):
    """Read the moments of every row and move its parameters by the rule that `h` names.

    `fields` are those of the views of all moments, one behind the other, `grads[source[i]]` the
    gradient of row number i. The number of parts only splits the work.
    """
    k, ahead = rows.size, rows_ahead(table)
    for p in prange(parts):
        views, buffer = grouped(fields), buffers[p]
        part_stop = k * (p + 1) // parts
        for start in range(k * p // parts, part_stop, tile_rows):
            stop = min(start + tile_rows, part_stop)
            later = start + ahead
            if tile_rows == 1 and later < k:
                prefetch_moments(views, None, rows, later)
                prefetch_row(table, rows[later])
            x, g = tile_of(table, grads, rows, source, start, stop, tile_rows, buffer)
            read = read_moments(views, (2, x, h[0]), buffer, rows, start, stop, tile_rows, g)
            for c in range(x.size):
                x[c] = update(h, x[c], g[c], *values_of(read, None, c))
            if tile_rows > 1:
                scatter(x, table, rows, start, stop)
