"""Scratch memory that is kept from step to step."""

import math

import numpy as np

__all__ = ["Scratch", "roomy"]


def roomy(size):
    """The least size to which an array of that size grows, so that it seldom has to grow again.

    The number of distinct rows differs from step to step even where as many rows are given.
    """
    return size + size // 8


class Scratch:
    """Named arrays that are used again, and are replaced by larger ones where they are too small.

    Fresh pages of memory cost more time than the step that fills them; after the first step of a
    size nothing is allocated.

    Parameters
    ----------
    empty : callable
        Makes a flat array of any content from its size and dtype.

    Examples
    --------
    >>> scratch = Scratch()
    >>> scratch.array("order", (2, 3), np.int64).shape
    (2, 3)
    """

    def __init__(self, empty=np.empty):
        self._empty = empty
        self._buffers = {}

    def array(self, name, shape, dtype):
        """An array of any content; the same memory at each call with the same name."""
        size = math.prod(shape)
        key = name, np.dtype(dtype)
        kept = self._buffers.get(key)
        if kept is None or kept.size < size:
            room = 0 if kept is None else roomy(kept.size)
            kept = self._buffers[key] = self._empty(max(size, room), dtype)
        return kept[:size].reshape(shape)
