"""The arguments of kernels, in the form from which the driver reads them at a launch.

A kernel is launched with a flat list of numbers: an array is its address, size, shape and strides,
a NamedTuple is what its fields are. That list is made once for each prepared launch. What changes
from step to step stands in the arguments as a `Number` or an `Array`: these know their places in
the lists of all launches that use them, and `set` writes there.
"""

import ctypes

import numpy as np

from sketchlab.kernels.cuda.memory import Memory

__all__ = ["Array", "Block", "Number", "current", "example"]

_WORD = 8  # bytes of a place in the list; longer than needed for small numbers, and aligned


class Number:
    """A number that changes from step to step.

    Parameters
    ----------
    dtype : dtype
    value : number
        Python's or NumPy's; rounded to the dtype.

    Attributes
    ----------
    dtype, value
    """

    __slots__ = ("_places", "dtype", "value")

    words = 1

    def __init__(self, dtype, value=0):
        self.dtype, self.value, self._places = np.dtype(dtype), value, []

    def set(self, value):
        """Give the coming launches another value."""
        self.value = value
        for place in self._places:
            place.value = value

    def write(self, buffer, offset):
        """Take a place in a list of arguments."""
        kind = np.ctypeslib.as_ctypes_type(self.dtype)
        value = self.dtype.type(self.value).item()
        place = kind.from_buffer(buffer, offset)
        place.value = value
        self._places.append(place)

    def now(self):
        """The value as compiled kernels and the simulator take it."""
        return self.dtype.type(self.value)


class Array:
    """An array that changes from step to step; its dtype and dimensions stay.

    Parameters
    ----------
    dtype : dtype
    ndim : int
    memory : Memory, optional
    """

    __slots__ = ("_places", "dtype", "memory", "ndim")

    def __init__(self, dtype, ndim, memory=None):
        self.dtype, self.ndim, self.memory, self._places = np.dtype(dtype), ndim, memory, []

    @classmethod
    def of(cls, memory):
        """An array that is where some memory is."""
        return cls(memory.dtype, len(memory.shape), memory)

    @property
    def words(self):
        """Numbers in a list of arguments: two unused, size, size of an entry, address and so on."""
        return 5 + 2 * self.ndim

    def set(self, memory):
        """Give the coming launches another array."""
        known, self.memory = self.memory, memory
        if known is not None and known.shape == memory.shape:
            for place in self._places:
                place[4] = memory.address
        else:
            words = self._words()
            for place in self._places:
                place[:] = words

    def _words(self):
        memory, stride, strides = self.memory, self.dtype.itemsize, []
        for length in reversed(memory.shape):
            strides.append(stride)
            stride *= length
        header = 0, 0, memory.size, self.dtype.itemsize, memory.address
        return *header, *memory.shape, *reversed(strides)

    def write(self, buffer, offset):
        """Take a place in a list of arguments."""
        place = (ctypes.c_int64 * self.words).from_buffer(buffer, offset)
        if self.memory is not None:
            place[:] = self._words()
        self._places.append(place)

    def now(self):
        """The array as the simulator takes it."""
        return self.memory.owner


class Block:
    """The list of arguments of one launch, and the addresses of its places.

    Parameters
    ----------
    arguments : tuple
        Of `Number`, `Array`, `Memory`, plain numbers, and tuples of these.

    Attributes
    ----------
    address : int
        Of the addresses, as ``cuLaunchKernel`` takes them.
    """

    def __init__(self, arguments):
        leaves = list(_leaves(arguments))
        count = sum(leaf.words for leaf in leaves)
        self._buffer = (ctypes.c_int64 * count)()
        start, offset = ctypes.addressof(self._buffer), 0
        for leaf in leaves:
            leaf.write(self._buffer, offset)
            offset += leaf.words * _WORD
        self._places = (ctypes.c_void_p * count)(*range(start, start + offset, _WORD))
        self.address = ctypes.addressof(self._places)
        self._kept = leaves  # and the memory that they name


def example(arguments):
    """Arguments of the same types as NumPy's, for a compiler to see."""
    return _mapped(_example_of, arguments)


def current(arguments):
    """Arguments with the values that they have now, as the simulator takes them."""
    return _mapped(lambda leaf: leaf.now(), arguments)


def _example_of(leaf):
    if isinstance(leaf, Array):
        return np.empty((0,) * leaf.ndim, leaf.dtype)
    return leaf.now()


def _mapped(function, argument):
    if isinstance(argument, tuple):
        parts = (_mapped(function, part) for part in argument)
        return type(argument)(*parts) if hasattr(argument, "_fields") else tuple(parts)
    return function(_leaf(argument))


def _leaves(argument):
    if isinstance(argument, tuple):
        for part in argument:
            yield from _leaves(part)
    else:
        yield _leaf(argument)


def _leaf(argument):
    """What stands in a list for an argument that is no tuple."""
    if isinstance(argument, (Number, Array)):
        return argument
    if isinstance(argument, Memory):
        return Array.of(argument)
    if isinstance(argument, (bool, int)):
        return Number(np.bool_ if isinstance(argument, bool) else np.int64, argument)
    return Number(argument.dtype, argument)
