"""What one optimizer's backend keeps from step to step: scratch memory, and views of its stores."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numba
import numpy as np

from sketchlab.kernels.cpu.advance import CHUNK, owners_of_cells
from sketchlab.kernels.cpu.tiles import rows_in_tile
from sketchlab.kernels.cpu.views import BUCKET, View, is_written, view_of_cells
from sketchlab.kernels.scratch import Scratch, roomy

__all__ = ["Workspace"]

_LARGE = 1 << 22  # numbers in a step, above which all moments write changes in one place


class Fitted(NamedTuple):
    """What the kernels of a step are given, beside what the step itself is given."""

    views: list  # with scratch memory
    buffers: np.ndarray  # (parts, 2 + moments + depth, columns of a tile)
    parts: int
    tile_rows: int
    apart: bool  # whether moments are advanced one by one


class Workspace:
    """Scratch memory and views, made anew only where they no longer fit.

    It is O(k·dim) numbers, and one for every cell of a sketch with ``bucket`` decay.
    """

    def __init__(self):
        self.scratch = Scratch()
        self.array = self.scratch.array
        self._counted = np.arange(0)
        self._fitted = None, (None, None)
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

    def fit(self, views, k, dim, dtype):
        """Views with scratch memory for a step on k rows, and what else kernels need."""
        parts, tile_rows = numba.get_num_threads(), rows_in_tile(dim)
        # a large step writes down the changes of one moment in the place of the other's
        apart = k * dim > _LARGE and all(map(is_written, views))
        kinds = [(len(view.constants), view.mode, len(view.cells)) for view in views]
        key = k, dim, dtype, parts, apart, kinds
        fitted, (scratch, buffers) = self._fitted
        if key != fitted:
            scratch, buffers = self._scratch_of(views, k, dim, dtype, parts, apart)
            self._fitted = key, (scratch, buffers)
        views = [View(*view[: -len(own)], *own) for view, own in zip(views, scratch)]
        return Fitted(views, buffers, parts, tile_rows, apart)

    def _scratch_of(self, views, k, dim, dtype, parts, apart):
        """Scratch memory of each view, and of the tiles of all."""
        array, depths = self.array, [len(view.constants) for view in views]
        owners = max((owners_of_cells(d, parts) for d in (sum(depths), *depths)), default=1)
        written = [k * dim * is_written(view) for view in views]
        changes = array("change", (max(written, default=0) if apart else sum(written),), dtype)
        scratch = []
        for number, (view, depth) in enumerate(zip(views, depths)):
            first = 0 if apart else sum(written[:number])
            counted = len(view.cells) if view.mode == BUCKET else 0
            own = (
                array(("slots", number), (depth, k), np.int64),
                array(("signs", number), (depth, k), np.int8),
                changes[first : first + written[number]],
                array(("picked", number), (depth * owners, CHUNK), np.int64),
                array(("active rows", number), (counted,), np.int32),
            )
            scratch.append(own)
        runs = 2 + len(views) + max(depths, default=0)
        shape = parts, runs, dim * rows_in_tile(dim)
        return scratch, array("buffers", shape, dtype)
