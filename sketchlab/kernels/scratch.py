"""Scratch memory that is kept from step to step."""

import math

import numpy as np

__all__ = ["Scratch", "roomy"]


def roomy(size):
    """What an array of that size grows to at least, lest it grow again at each larger step.

    The number of distinct rows differs from step to step even where as many are given.
    """
    return size + size // 8


class Scratch:
    """Named arrays that grow when they must and are otherwise used again.

    Fresh pages cost more than the step that fills them; after the first step of a size nothing
    is allocated.

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
        """An array of any content under a name; whoever asks for the name next gets it again."""
        size = math.prod(shape)
        key = name, np.dtype(dtype)
        kept = self._buffers.get(key)
        if kept is None or kept.size < size:
            room = 0 if kept is None else roomy(kept.size)
            kept = self._buffers[key] = self._empty(max(size, room), dtype)
        return kept[:size].reshape(shape)
