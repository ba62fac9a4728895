"""Means of buckets on the device: how sums and weights of the same buckets are read."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab.kernels.cuda.views import MOMENTS, MinimumCells, slot_of, usable
from sketchlab.stores.arithmetic import lower

__all__ = ["Means"]


class Means(NamedTuple):
    """Sums and weights of the same buckets."""

    sums: MinimumCells  # (cells, dim)
    weights: MinimumCells  # (cells, 1)
    full: np.floating
    squared: bool


@register_jitable
def bucket_mean(view, row, j, c):
    """F · sum by weight in the row's bucket j; an untouched one has the sum 0."""
    slot = slot_of(view.sums, row, j)
    total, weight = view.full * view.sums.cells[slot, c], view.weights.cells[slot, 0]
    return total / weight if weight > view.sums.cells.dtype.type(0) else total


def _of_means(view, row, c, gradient):
    answer = bucket_mean(view, row, 0, c)
    for j in range(1, len(view.sums.constants) // 4):
        answer = lower(answer, bucket_mean(view, row, j, c))
    return usable(view, view.sums.cells, answer)


MOMENTS[Means] = _of_means
