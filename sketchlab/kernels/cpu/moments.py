"""How each kind of live store takes its part in a step: functions chosen by the type of the store.

A store made of cells is advanced by kernels. A store of bucket means is two of these. Any other is
advanced by its own NumPy semantics, and kernels are given its answers.
"""

from functools import singledispatch
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np

from sketchlab.kernels.cpu.advance import advance
from sketchlab.kernels.cpu.views import ADD, NO_ROWS, idle, view_of_answers
from sketchlab.rules import Moment
from sketchlab.stores import CellStore
from sketchlab.stores.bucket_mean import BucketMeanStore

__all__ = ["Step", "advance_moment", "advance_shared", "arguments", "view_before"]


class Step(NamedTuple):
    """A step x ← keep·x + gain·u of one moment; row number i has gradient grads[source[i]]."""

    moment: Moment
    rows: np.ndarray
    grads: np.ndarray
    source: np.ndarray
    keep: float
    gain: float
    moments: int  # of the rule


@singledispatch
def view_before(store, moment, space, cells):
    """The view by which kernels will advance the store; where they do not, that of `cells`."""
    return view_of_answers(cells)


@view_before.register(CellStore)
def _(store, moment, space, cells):
    return space.view(store, moment)


@view_before.register(BucketMeanStore)
def _(store, moment, space, cells):
    return space.view(store.sums, moment)


@singledispatch
def advance_moment(store, step, space):
    """Take the step, where it comes before the answers; the view of the store."""
    moment, rows, grads, source, keep, gain, _ = step
    store.advance(rows, grads[source], keep, gain, moment.squared)
    return _answers(store, rows)


@advance_moment.register(CellStore)
def _(store, step, space):
    number, rows = store.dtype.type, step.rows
    gain = number(store.begin_step(step.keep, step.gain))
    view = space.view(store, step.moment)
    past = store.weights[rows] if store.shrunken else view.past
    store.touch(rows, gain)
    return view._replace(
        keep_less_one=number(store.row_keep_less_one(step.keep)),
        gain=gain,
        scales=view.scales if store.shrunken else store.scales(rows),
        places=store.places(rows) if view.heads else NO_ROWS,
        past=past,
        full=number(store.multiplier * store.full_weight),
    )


@advance_moment.register(BucketMeanStore)
def _(store, step, space):
    k = len(step.rows)
    touches = space.array("touches", (k, 1), store.dtype)
    touches.fill(1)
    touched = step._replace(grads=touches, source=space.counting(k))
    for sketch, part in ((store.sums, step), (store.weights, touched)):
        view = advance_moment(sketch, part, space)
        # as many views as the rule has moments: no other kernel has to be compiled
        views = [view, *repeat(idle(view), step.moments - 1)]
        advance_shared(views, part.rows, part.grads, part.source, space)
    store.count_step(step.keep, step.gain)
    return _answers(store, step.rows)


def _answers(store, rows):
    """The view of a store's answers for rows."""
    return view_of_answers(np.ascontiguousarray(store.estimate(rows)))


def advance_shared(views, rows, grads, source, space):
    """Advance the cells that rows share; what kernels are given then."""
    fitted = space.fit(views, len(rows), grads.shape[1], grads.dtype)
    if any(view.mode >= ADD for view in views):
        calls = [fitted.views]
        if fitted.apart:
            calls = [[v if v is one else idle(v) for v in fitted.views] for one in fitted.views]
        for called in calls:
            advance(False, rows, grads, source, *arguments(fitted, called))
    return fitted


def arguments(fitted, views):
    """The last arguments of a kernel."""
    return fitted.buffers, fitted.parts, fitted.tile_rows, *chain.from_iterable(views)
