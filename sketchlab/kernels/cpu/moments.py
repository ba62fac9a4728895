"""How each kind of live store takes its part in a step: functions chosen by the type of the store.

A store made of cells is advanced by kernels. A store of bucket means is two of these. Any other is
advanced by its own NumPy semantics, and kernels are given its answers.
"""

from functools import singledispatch
from typing import NamedTuple

import numpy as np

from sketchlab.kernels.cpu.advance import advance
from sketchlab.kernels.cpu.views import ADD, GIVEN, now_of_cells, unkept
from sketchlab.rules import Moment
from sketchlab.stores import CellStore
from sketchlab.stores.bucket_mean import BucketMeanStore

__all__ = ["Step", "advance_moment", "advance_shared", "view_before"]


class Step(NamedTuple):
    """A step x ← keep·x + gain·u of one moment; row number i has gradient grads[source[i]]."""

    moment: Moment
    rows: np.ndarray
    grads: np.ndarray
    source: np.ndarray
    keep: float
    gain: float


@singledispatch
def view_before(store, moment, space, cells):
    """The view by which kernels advance the store; where they do not, that of no moment."""
    return unkept(cells)[0]


@view_before.register(CellStore)
def _(store, moment, space, cells):
    return space.view(store, moment)


@view_before.register(BucketMeanStore)
def _(store, moment, space, cells):
    return space.view(store.sums, moment)


@singledispatch
def advance_moment(store, step, space):
    """Take the step, where it comes before the answers; the view of the store, and its numbers."""
    moment, rows, grads, source, keep, gain = step
    store.advance(rows, grads[source], keep, gain, moment.squared)
    return _given(store, rows)


@advance_moment.register(CellStore)
def _(store, step, space):
    now = now_of_cells(store, step)
    return space.view(store, step.moment), now


@advance_moment.register(BucketMeanStore)
def _(store, step, space):
    k = len(step.rows)
    touches = space.array("touches", (k, 1), store.dtype)
    touches.fill(1)
    touched = step._replace(grads=touches, source=space.counting(k))
    for sketch, part in ((store.sums, step), (store.weights, touched)):
        kept = advance_moment(sketch, part, space)
        advance_shared(kept, unkept(sketch.flat_cells), part.rows, part.grads, part.source, space)
    store.count_step(step.keep, step.gain)
    return _given(store, step.rows)


def _given(store, rows):
    """The view of a store's answers for rows."""
    answers = np.ascontiguousarray(store.estimate(rows))
    view, now = unkept(answers)
    return view._replace(mode=GIVEN), now


def advance_shared(first, second, rows, grads, source, space):
    """Advance the cells that rows share; the scratch memory, parts and rows in a tile."""
    views = first[0], second[0]
    work, parts, tile_rows, apart = space.work(*views, len(rows), grads.shape[1])
    pairs = [(first, second)]
    if apart:
        pairs = [(first, unkept(views[0].cells)), (unkept(views[1].cells), second)]
    if any(view.mode >= ADD for view in views):
        for one, other in pairs:
            advance(False, *one, *other, work, rows, grads, source, parts, tile_rows)
    return work, parts, tile_rows
