"""What one optimizer's backend keeps from step to step: scratch memory, and views of its stores."""

from weakref import WeakKeyDictionary

import numba
import numpy as np

from sketchlab.kernels.cpu.advance import CHUNK, owners_of_cells
from sketchlab.kernels.cpu.tiles import rows_in_tile
from sketchlab.kernels.cpu.views import BUCKET, Work, is_written, view_of_cells
from sketchlab.kernels.scratch import Scratch, roomy

__all__ = ["Workspace"]

_LARGE = 1 << 22  # numbers in a step, above which both moments write changes in one place


class Workspace:
    """Scratch memory and views, made anew only where they no longer fit.

    It is O(k·dim) numbers, and one for every cell of a sketch with ``bucket`` decay.
    """

    def __init__(self):
        self.scratch = Scratch()
        self.array = self.scratch.array
        self._counted = np.arange(0)
        self._fitted = None, None
        self._views = WeakKeyDictionary()

    def counting(self, count):
        """0, 1, 2, … up to `count`."""
        if len(self._counted) < count:
            self._counted = np.arange(max(count, roomy(len(self._counted))))
        return self._counted[:count]

    def view(self, store, moment):
        """The view of a store made of cells, made anew when the store has got another table."""
        cells, view = self._views.get(store, (None, None))
        if cells is not store.cells:
            view = view_of_cells(store, moment)
            self._views[store] = store.cells, view
        return view

    def work(self, first, second, k, dim):
        """Scratch memory, parts, rows in a tile, and whether moments are advanced one by one."""
        parts, views = numba.get_num_threads(), (first, second)
        # a large step writes down the changes of one moment in the place of the other's
        apart = k * dim > _LARGE and all(map(is_written, views))
        return self._fit(views, k, dim, parts, apart), parts, rows_in_tile(dim), apart

    def _fit(self, views, k, dim, parts, apart):
        """Scratch memory for a step on k rows."""
        dtype, array = views[0].cells.dtype, self.array
        depths, modes = [len(view.constants) for view in views], [view.mode for view in views]
        fitted, work = self._fitted
        counted = [len(view.cells) for view in views if view.mode == BUCKET]
        key = k, dim, parts, apart, dtype, depths, modes, counted
        if key == fitted:
            return work
        depth, both = max(depths), sum(depths)
        written = 1 if apart else sum(map(is_written, views))
        owners = max(map(owners_of_cells, (both, *depths), (parts,) * 3))
        work = Work(
            slots=array("slots", (2, depth, k), np.int64),
            signs=array("signs", (2, depth, k), np.int8),
            change=array("change", (written * k * dim,), dtype),
            buffers=array("buffers", (parts, 4 + depth, dim * rows_in_tile(dim)), dtype),
            picked=array("picked", (both * owners, 2, CHUNK), np.int64),
            active=array("active rows", (sum(counted),), np.int32),
        )
        self._fitted = key, work
        return work
