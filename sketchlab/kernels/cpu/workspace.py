"""What one optimizer's backend keeps from step to step: scratch memory."""

from itertools import chain
from typing import NamedTuple

import numpy as np

from sketchlab.kernels.cpu.advance import CHUNK, owners_of_cells
from sketchlab.kernels.cpu.move_own import are_own
from sketchlab.kernels.cpu.tiles import rows_in_tile
from sketchlab.kernels.cpu.views import ADD, BUCKET, CODES, answers_first, is_written
from sketchlab.kernels.scratch import Scratch, roomy

__all__ = ["Fitted", "Workspace"]

_LARGE = 1 << 22  # numbers in a step, above which all moments write changes in one place


class Fitted(NamedTuple):
    """What kernels are given in all steps of a size, beside what the step itself is given."""

    buffers: np.ndarray  # (threads, 2 + moments + depth, columns of a tile)
    threads: int
    tile_rows: int
    parts: list  # see `parts.Part`
    sharing: list  # lists of parts whose rows share cells, which advance in one call
    late: bool  # whether some cells are read before they change
    own: bool  # whether every variable is exact

    def to_move(self):
        """The last arguments of `move`."""
        fields = chain.from_iterable([part.fields for part in self.parts])
        return self.buffers, self.threads, self.tile_rows, *fields

    def to_advance(self, parts):
        """The last arguments of `advance` for some of the parts."""
        fields = chain.from_iterable([part.cell_fields() for part in parts])
        return self.buffers, self.threads, self.tile_rows, *fields


class Workspace:
    """Scratch memory, made anew only where it no longer fits.

    It is O(k·dim) numbers, and one for every cell of a sketch with ``bucket`` decay.
    """

    def __init__(self):
        self.scratch = Scratch()
        self.array = self.scratch.array
        self._counted = np.arange(0)
        self._fitted = self._fits = None

    def counting(self, count):
        """0, 1, 2, … up to `count`."""
        if len(self._counted) < count:
            self._counted = np.arange(max(count, roomy(len(self._counted))))
        return self._counted[:count]

    def fit(self, parts, k, dim, dtype, threads):
        """Give the parts scratch memory for a step on k rows; what else kernels need."""
        # a large step writes down the changes of one moment in the place of the other's
        large = k * dim > _LARGE
        if self._fitted is None or k > self._fits[0] or self._fits[1:] != (parts, threads, large):
            self._fitted = self._fit(parts, k, dim, dtype, threads, large)
            self._fits = k, parts, threads, large
        return self._fitted

    def _fit(self, parts, k, dim, dtype, threads, large):
        views = [part.view for part in parts]
        apart = large and all(map(is_written, views))
        scratch, buffers = self._scratch_of(views, k, dim, dtype, threads, apart)
        for part, own in zip(parts, scratch):
            part.give(own)
        sharing = [part for part in parts if part.view.mode >= ADD]
        sharing = [[part] for part in sharing] if apart else [sharing] if sharing else []
        late = any(map(answers_first, views))
        own = are_own(views)
        return Fitted(buffers, threads, rows_in_tile(dim), parts, sharing, late, own)

    def _scratch_of(self, views, k, dim, dtype, threads, apart):
        """Scratch memory of each view, and of the tiles of all."""
        array, depths = self.array, [len(view.constants) for view in views]
        owners = max((owners_of_cells(d, threads) for d in (sum(depths), *depths)), default=1)
        written = [k * dim * is_written(view) for view in views]
        changes = array("change", (max(written, default=0) if apart else sum(written),), dtype)
        scratch = []
        for number, (view, depth) in enumerate(zip(views, depths)):
            first = 0 if apart else sum(written[:number])
            counted = len(view.cells) if view.mode == BUCKET else 0
            own = (
                None if view.slots is None else array(("slots", number), (depth, k), np.int64),
                array(("signs", number), (depth, k), np.int8),
                changes[first : first + written[number]],
                array(("picked", number), (depth * owners, CHUNK), np.int64),
                array(("active rows", number), (counted,), np.int32),
            )
            scratch.append(own)
        codes = 2 * any(view.mode == CODES for view in views)
        runs = 2 + len(views) + max([codes, *depths])
        shape = threads, runs, dim * rows_in_tile(dim)
        return scratch, array("buffers", shape, dtype)
