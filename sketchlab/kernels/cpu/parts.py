"""How each kind of live store takes its part in a step.

A part is made once for a store. It holds the store's fields of the kernels' arguments, see
`views.View`, and at every step fills in the few that change. A store that no kernel advances is
advanced by its own NumPy semantics, and kernels are given its answers.
"""

from typing import NamedTuple

import numpy as np

from sketchlab.kernels.cpu import factors, views
from sketchlab.kernels.cpu.heads import count_touches
from sketchlab.kernels.cpu.threads import PARTS
from sketchlab.kernels.cpu.views import View, view_of_answers, view_of_cells
from sketchlab.stores import CellStore
from sketchlab.stores.arithmetic import contribution
from sketchlab.stores.bucket_mean import BucketMeanStore
from sketchlab.stores.quantized import QuantizedStore
from sketchlab.stores.rank1 import Rank1Store
from sketchlab.stores.row_wise import RowWiseStore
from sketchlab.stores.sm3 import SM3Store

__all__ = ["Part", "Step", "part_of"]

# places in a view of what a step fills in
_FILLED_IN = "cells", "residents", "codes", "keep_less_one", "gain", "multiplier", "full", "key"
CELLS, RESIDENTS, CODES, KEEP_LESS_ONE, GAIN, MULTIPLIER, FULL, KEY = map(
    View._fields.index, _FILLED_IN
)


class Step(NamedTuple):
    """A step on some rows; row number i has gradient grads[source[i]]."""

    rows: np.ndarray
    grads: np.ndarray
    source: np.ndarray
    largest: float  # see `Given`


class Part:
    """The part of a store that kernels do not know: it gives them its answers.

    Attributes
    ----------
    view : View
        Without scratch memory, and without the numbers of a step.
    fields : list
        Those of the view, with scratch memory and the last step's numbers.
    """

    def __init__(self, store, moment):
        self.store, self.squared = store, moment.squared
        self.number = store.dtype.type
        self.view = self.look(moment)
        self.give(())

    def look(self, moment):
        """The view of the store."""
        return view_of_answers(np.empty((0, self.store.dim), self.store.dtype))

    def fits(self, store):
        """Whether the view is that of the store, and of the arrays that it has now."""
        return store is self.store

    def give(self, scratch):
        """Take scratch memory: the last fields of a view."""
        self.fields = [*self.view[: len(self.view) - len(scratch)], *scratch]

    def cell_fields(self):
        """The fields for a kernel that works on cells alone; of one type for all kinds of cells."""
        if self.view.codes is None:
            return self.fields
        return [*self.fields[:CODES], None, *self.fields[CODES + 1 :]]

    def compile(self, nothing):
        """Have kernels of its own compiled, by a step on no rows."""

    def begin(self, step, keep, gain):
        """Get ready for a step x ← keep·x + gain·u: fill in its numbers."""
        store, rows = self.store, step.rows
        store.make_room(contribution(self.squared, gain, step.largest))
        store.advance(rows, step.grads[step.source], keep, gain, self.squared)
        self.fields[CELLS] = np.ascontiguousarray(store.estimate(rows))


class ScaledPart(Part):
    """The part of a store whose arrays are divided by a multiplier."""

    share = 1  # what a gain is divided by

    def __init__(self, store, moment):
        super().__init__(store, moment)
        self.changes = store.decay == "global"
        self.keep = self.filled_in = None

    def give(self, scratch):
        super().give(scratch)
        self.keep = self.filled_in = None

    def begin(self, step, keep, gain):
        store, fields, number = self.store, self.fields, self.number
        if step.largest:
            store.make_room(contribution(self.squared, gain, step.largest))
        numbers = keep, gain, store.multiplier
        if numbers == self.filled_in:
            return
        fields[GAIN] = number(store.begin_step(keep, gain) / self.share)
        fields[MULTIPLIER] = number(store.multiplier)
        if keep != self.keep:
            fields[KEEP_LESS_ONE] = number(store.row_keep_less_one(keep))
            self.keep = keep
        # the numbers of a step stay what they are, unless the store fades as a whole
        self.filled_in = None if self.changes else numbers


class CellPart(ScaledPart):
    """The part of a store made of cells."""

    def __init__(self, store, moment):
        super().__init__(store, moment)
        self.changes |= store.rounding is not None  # by the numbers that it is rounded by

    def look(self, moment):
        self.cells = self.store.cells
        return view_of_cells(self.store, moment)

    def fits(self, store):
        return store is self.store and store.cells is self.cells

    def compile(self, nothing):
        if self.store.touches is not None:
            count_touches(nothing.rows, self.store.touches)

    def begin(self, step, keep, gain):
        super().begin(step, keep, gain)
        store = self.store
        if store.rounding is not None:
            self.fields[KEY] = np.uint64(store.rounding.key)
        if store.heads:
            self.fields[RESIDENTS] = store.ordered
        if store.touches is not None:
            count_touches(step.rows, store.touches)
        if store.shrunken:
            self.fields[FULL] = self.number(store.multiplier * store.full_weight)
        elif store.weights is not None:
            self.fields[FULL] = self.number(store.full_weight)


class RowMeanPart(ScaledPart):
    """The part of a store that keeps one number a row."""

    def look(self, moment):
        # each column's share is taken before the sum, which could overflow where the mean does not
        self.share = self.store.dim
        values = self.store.values[:, None]
        return view_of_answers(values)._replace(mode=views.ROW_MEAN, squared=moment.squared)


class CodePart(ScaledPart):
    """The part of a store that codes numbers in bytes."""

    def look(self, moment):
        store = self.store
        return view_of_answers(store.scales)._replace(
            mode=views.CODES,
            signed=store.description.signed,
            squared=moment.squared,
            block=store.block,
            common=np.concatenate([store.book, store.lines.reshape(-1)]),
            codes=store.codes,
        )


class MeansPart(Part):
    """The part of a store of bucket means."""

    def look(self, moment):
        sums, weights = self.store.sums, self.store.weights
        self.cells = sums.cells, weights.cells
        return view_of_cells(sums, moment)._replace(
            mode=views.MEANS, common=weights.flat_cells.reshape(-1), codes=views.NO_CODES
        )

    def fits(self, store):
        now = store.sums.cells, store.weights.cells
        return store is self.store and now[0] is self.cells[0] and now[1] is self.cells[1]

    def begin(self, step, keep, gain):
        store, number = self.store, self.number
        store.make_room(contribution(self.squared, gain, step.largest))
        store.weights.begin_step(keep, gain)
        self.fields[GAIN] = number(store.sums.begin_step(keep, gain))
        store.count_step(keep, gain)
        self.fields[FULL] = number(store.full)


class RankOnePart(Part):
    """The part of a store of row and column sums."""

    def look(self, moment):
        store = self.store
        self.most = np.finfo(store.dtype).max
        self.scratch = np.empty((PARTS, 2, store.dim), store.dtype)
        return view_of_answers(store.left[:, None])._replace(
            mode=views.RANK_ONE, common=np.zeros(store.dim, store.dtype)
        )

    def compile(self, nothing):
        self._add(nothing, 1.0, 0.0)

    def begin(self, step, keep, gain):
        if self.store.decay == "global":
            self.store.scale(keep)
        self._add(step, keep, gain)

    def _add(self, step, keep, gain):
        store, number = self.store, self.number
        less = number(store.row_keep_less_one(keep))
        numbers = self.squared, less, number(gain), self.most
        sums = self.view.cells, store.right, self.view.common, self.scratch
        factors.add_changes(step.rows, step.grads, step.source, *sums, *numbers)


class BoundsPart(ScaledPart):
    """The part of a store of row and column bounds."""

    def look(self, moment):
        store = self.store
        self.scratch = np.empty((PARTS, 2, store.dim), store.dtype)
        return view_of_answers(store.row_bounds[:, None])._replace(
            mode=views.BOUNDS, common=store.column_bounds
        )

    def compile(self, nothing):
        self._raise(nothing)

    def begin(self, step, keep, gain):
        super().begin(step, keep, gain)
        self._raise(step)

    def _raise(self, step):
        bounds = self.view.cells, self.view.common, self.scratch
        gain = self.fields[GAIN]
        factors.raise_bounds(step.rows, step.grads, step.source, *bounds, self.squared, gain)


_KNOWN = {
    CellStore: CellPart,
    RowWiseStore: RowMeanPart,
    QuantizedStore: CodePart,
    BucketMeanStore: MeansPart,
    Rank1Store: RankOnePart,
    SM3Store: BoundsPart,
}


def part_of(store, moment):
    """The part of a store that keeps a moment.

    A store derived from a known one that takes a step in its own way keeps that way.
    """
    for kind, part in _KNOWN.items():
        if isinstance(store, kind) and all(
            getattr(type(store), name) is getattr(kind, name) for name in ("advance", "estimate")
        ):
            return part(store, moment)
    return Part(store, moment)
