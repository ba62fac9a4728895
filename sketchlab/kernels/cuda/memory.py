"""Memory on the device: where an array lies, without numba-cuda's arrays, which take long to make.

On a device a kernel is given an address and a shape; in the simulator, an array.
"""

import math

import numpy as np

from sketchlab.kernels.cuda.driver import cuda, guarded, simulated

__all__ = ["Memory", "allocate"]


class Memory:
    """C-contiguous memory on the device.

    Parameters
    ----------
    address : int
        0 in the simulator.
    shape : tuple of int
    dtype : dtype
    owner
        What keeps the memory alive; in the simulator the array itself, in this shape.

    Attributes
    ----------
    address, shape, dtype, owner
    size : int
        Of numbers.
    """

    __slots__ = ("address", "dtype", "owner", "shape", "size")

    def __init__(self, address, shape, dtype, owner):
        self.address, self.shape, self.dtype, self.owner = address, shape, dtype, owner
        self.size = math.prod(shape)

    @property
    def nbytes(self):
        """Bytes from the first to the last number."""
        return self.size * self.dtype.itemsize

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        """A number or a slice without steps along the first dimension, over the same memory."""
        inner = self.shape[1:]
        if isinstance(index, slice):
            start, stop, step = index.indices(self.shape[0])
            if step != 1:
                raise IndexError(f"{index}: memory on a device is cut without steps")
            shape = (max(stop - start, 0), *inner)
        else:
            start, shape = range(self.shape[0])[index], inner
        owner = self.owner[index] if simulated() else self.owner
        address = self.address + start * math.prod(inner) * self.dtype.itemsize
        return Memory(address, shape, self.dtype, owner)

    def reshape(self, *shape):
        """The same memory in another shape of as many numbers."""
        shape = tuple(shape[0] if isinstance(shape[0], tuple) else shape)
        if -1 in shape:
            known = -math.prod(shape)
            shape = tuple(self.size // known if length == -1 else length for length in shape)
        owner = self.owner.reshape(shape) if simulated() else self.owner
        return Memory(self.address, shape, self.dtype, owner)

    def bits(self):
        """The same memory as signed integers of as many bits."""
        dtype = np.dtype(f"i{self.dtype.itemsize}")
        owner = self.owner.view(dtype) if simulated() else self.owner
        return Memory(self.address, self.shape, dtype, owner)

    def overlaps(self, other):
        """Whether two arrays share memory."""
        (start, end), (first, last) = self._extent(), other._extent()
        return start < last and first < end

    def _extent(self):
        start = self.owner.ctypes.data if simulated() else self.address
        return start, start + self.nbytes


def allocate(shape, dtype):
    """Memory of any content.

    Parameters
    ----------
    shape : tuple of int, or int
    dtype : dtype
        There is at least one number, so that every kernel has an address.
    """
    dtype = np.dtype(dtype)
    shape = shape if isinstance(shape, tuple) else (max(shape, 1),)
    array = guarded(cuda.device_array, shape, dtype)
    address = 0 if simulated() else array.__cuda_array_interface__["data"][0]
    return Memory(address, shape, dtype, array)
