"""How sketches take their step on the device: by atomics, or each cell by threads that own it."""

import numpy as np

from sketchlab.kernels.cuda import advance, owned, shrunken
from sketchlab.kernels.cuda.arguments import Array, Number
from sketchlab.kernels.cuda.bucket import Decayed
from sketchlab.kernels.cuda.means import Means
from sketchlab.kernels.cuda.plans import CellPlan, Plan, plan_for
from sketchlab.kernels.cuda.sorting import Sorter
from sketchlab.kernels.cuda.views import (
    MaximumCells,
    MedianCells,
    MinimumCells,
    OwnAnswers,
    RowWeights,
)
from sketchlab.stores.bucket_mean import BucketMeanStore
from sketchlab.stores.head_tail import HeadTailStore
from sketchlab.stores.shrinkage import median_variance
from sketchlab.stores.sketches import SketchStore

__all__ = ["MeanPlan", "OwnedSketchPlan", "ShrunkenPlan", "SketchPlan"]


class SketchPlan(CellPlan):
    """Cells change before any answer is read; after it under ``bucket`` decay."""

    def __init__(self, store, moment, rows, items):
        super().__init__(store, moment, rows)
        self.cells = store.cells
        self.table = store.flat_cells.memory
        # Changes that depend on answers need those of before the step: from a copy of the cells
        # or written down for each row, whichever is smaller.
        self.answers = store.conservative or store.decay == "lazy"
        self.copies = self.answers and self._copies(items)
        before = self.table.dtype if self.copies else store.dtype
        self.before = Array(before, 2) if self.answers else None
        self.sketch = self._sketch(self.weights())
        self.view = self.sketch
        if store.decay == "bucket":
            self.view = OwnAnswers(self.sketch, self.less, self.gain)
        self.change(self._source(), later=store.decay == "bucket")

    def _copies(self, items):
        """Whether a copy of the cells is smaller than a change for each row."""
        return len(self.table) <= items

    def fits(self, items):
        """See `Plan.fits`."""
        same = self.store.cells is self.cells
        return same and (not self.answers or self.copies == self._copies(items))

    def resize(self, items):
        """See `Plan.resize`."""
        super().resize(items)
        if self.answers:
            shape = self.table.shape if self.copies else (items, self.store.dim)
            self.scratch(self.before, "before", shape, self.before.dtype)
        for part in self.decayed:
            self.scratch(part.owned, "owners", (self.store.depth, items), np.bool_)

    def _sketch(self, weights):
        """The cells as kernels see them."""
        store = self.store
        kind = MedianCells if store.description.signed else MinimumCells
        fields = (
            self.table,
            tuple(store.constants.ravel()),
            np.uint64(store.width),
            self.multiplier,
            self.moment.squared,
            np.int64(store.heads),
            weights,
            self.rounding(),
        )
        return MaximumCells(*fields, self.table.bits()) if store.conservative else kind(*fields)

    def _source(self):
        """Where changes come from."""
        if not self.answers:
            return advance.Plain(self.gain)
        if self.copies:
            self.early.append(self._copy_cells)
        before = self.sketch._replace(cells=self.before) if self.copies else self.sketch
        source = advance.Lazy(before, self.less, self.gain)
        if self.store.conservative:
            source = advance.Target(before, self.gain)
        if self.copies:
            return source
        self.noted.append(advance.Noted(source, self.moment.squared, self.before))
        return advance.Known(self.before)

    def _copy_cells(self):
        self.run.copy(self.before.memory, self.table)

    def change(self, source, later):
        """Bring the changes into the cells, before answers are read or later."""
        (self.late if later else self.added).append(advance.Added(source, self.sketch))
        if self.store.decay == "bucket":
            counts = self.run.zeros(self.table.shape[:1], np.int32)
            owners = Array(np.bool_, 2)
            self.decayed.append(Decayed(self.sketch, counts, owners, self.less))


class OwnedSketchPlan(SketchPlan):
    """The same without atomics on numbers: each cell is changed by threads that own it."""

    def change(self, source, later):
        """Sort the rows' cells, then go through them cell by cell."""
        rows, run, store = self.rows, self.run, self.store
        cells = len(self.table)
        keys = owned.CellKeys(self.sketch, rows.active, rows.items, cells)
        name = f"cells of {self.moment.name}"
        self.sorter = Sorter(run, rows.scratch, name, keys, cells.bit_length())
        sorted_cells = self.sorter.keys, self.sorter.order
        arguments = source, self.sketch, *rows.arguments(), *sorted_cells
        bucket = store.decay == "bucket"
        self.change_cells = run.prepare(owned.change_owned_cells, *arguments, bucket, self.less)
        (self.last if later else self.owned).extend([self.sorter, self.change_cells])

    def resize(self, items):
        """See `Plan.resize`."""
        super().resize(items)
        entries = items * self.store.depth
        self.sorter.resize(entries)
        self.change_cells.over_rows(entries, self.store.dim)


class ShrunkenPlan(SketchPlan):
    """What the answers are made of is measured first; they are read before anything is added."""

    def __init__(self, store, moment, rows, items):
        Plan.__init__(self, store, moment, rows)
        self.cells, self.answers = store.cells, False
        self.table = store.flat_cells.memory
        self.whole = Number(store.dtype)
        self.sketch = self._sketch(RowWeights(self.whole, store.weights.memory))
        self.sums = Array(np.float64, 3)
        self.trusted, self.scales = Array(store.dtype, 1), Array(store.dtype, 1)
        self.view = shrunken.ShrunkenAnswers(self.sketch, self.trusted, self.scales, self.gain)
        variance, active = np.float64(median_variance(store.depth)), (rows.active, rows.items)
        prepare, found = self.run.prepare, (self.sums, self.trusted, self.scales)
        self.measure = prepare(shrunken.sum_squares, self.sketch, *active, self.sums)
        arguments = self.sketch, variance, *active, self.gain, *found
        self.find_parts = prepare(shrunken.find_parts, *arguments)
        self.early += [self.measure, self.find_parts]
        self.weights()
        self.change(advance.Plain(self.gain), later=True)

    def resize(self, items):
        """See `Plan.resize`."""
        super().resize(items)
        self.scratch(self.sums, "sums of squares", (items, 2, shrunken.LANES), np.float64)
        self.scratch(self.trusted, "trusted parts", (items,))
        self.scratch(self.scales, "scales", (items,))
        self.measure.over_rows(items, shrunken.LANES)
        self.find_parts.over(items)

    def begin(self, keep, gain):
        """See `Plan.begin`."""
        super().begin(keep, gain)
        self.whole.set(self.store.multiplier * self.store.full_weight)


class OwnedShrunkenPlan(ShrunkenPlan, OwnedSketchPlan):
    """The same without atomics on numbers."""


class TouchPlan(SketchPlan):
    """Weights of buckets: each touch adds the gain."""

    def _source(self):
        return advance.Touch(self.gain)


class OwnedTouchPlan(TouchPlan, OwnedSketchPlan):
    """The same without atomics on numbers."""


class MeanPlan(Plan):
    """Sums and weights of buckets, each a sketch to which the step adds."""

    def __init__(self, store, moment, rows, items):
        self.store = store
        kinds = SketchPlan, TouchPlan
        if rows.deterministic:
            kinds = OwnedSketchPlan, OwnedTouchPlan
        both = zip(kinds, (store.sums, store.weights), ("sums", "weights"))
        self.both = [
            kind(part, moment._replace(name=f"{name} of {moment.name}"), rows, items)
            for kind, part, name in both
        ]
        self.whole = Number(store.dtype)
        self.view = Means(*(plan.view for plan in self.both), self.whole, moment.squared)
        for name in ("always", "early", "noted", "added", "owned", "late", "last", "decayed"):
            setattr(self, name, [each for plan in self.both for each in getattr(plan, name)])

    def fits(self, items):
        """See `Plan.fits`."""
        return all(plan.fits(items) for plan in self.both)

    def resize(self, items):
        """See `Plan.resize`."""
        for plan in self.both:
            plan.resize(items)

    def begin(self, keep, gain):
        """See `Plan.begin`."""
        for plan in self.both:
            plan.begin(keep, gain)
        self.store.count_step(keep, gain)
        self.whole.set(self.store.full)


plan_for.register(BucketMeanStore, MeanPlan)


@plan_for.register(SketchStore)
@plan_for.register(HeadTailStore)
def _plan_of_sketch(store, moment, rows, items):
    plain, owned = SketchPlan, OwnedSketchPlan
    if store.shrunken:
        plain, owned = ShrunkenPlan, OwnedShrunkenPlan
    # numbers of two bytes have no atomics, and additions to a float are rounded one by one
    by_owners = store.rounding is not None or (rows.deterministic and not store.conservative)
    kind = owned if by_owners else plain
    return kind(store, moment, rows, items)
