"""Means of buckets on the device: how sums and weights of the same buckets are read."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from sketchlab.kernels.cuda.views import MOMENTS, MinimumCells, slot_of
from sketchlab.rules.arithmetic import lower
from sketchlab.stores.arithmetic import bucket_mean

__all__ = ["Means"]


class Means(NamedTuple):
    """Sums and weights of the same buckets."""

    sums: MinimumCells  # (cells, dim)
    weights: MinimumCells  # (cells, 1)
    full: np.floating
    squared: bool


@register_jitable
def mean_at(view, row, j, c):
    """The mean of the row's bucket j."""
    slot = slot_of(view.sums, row, j)
    return bucket_mean(view.full, view.sums.cells[slot, c], view.weights.cells[slot, 0])


def _of_means(view, i, row, c, gradient):
    answer = mean_at(view, row, 0, c)
    for j in range(1, len(view.sums.constants) // 4):
        answer = lower(answer, mean_at(view, row, j, c))
    return answer


MOMENTS[Means] = _of_means
