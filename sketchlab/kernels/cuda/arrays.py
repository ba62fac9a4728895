"""Arrays on the device: views of what callers hand in, and the arrays that stores are made of."""

import math

import numpy as np

from sketchlab.errors import InputError
from sketchlab.kernels.cuda.driver import cuda, guarded, simulated
from sketchlab.kernels.cuda.elementwise import fill, gather, multiply, scatter

__all__ = ["DeviceArray", "as_device", "empty", "overlap", "stream_of", "zeros"]

_DLPACK_CUDA = 2


def as_device(name, array):
    """A device array of numba-cuda over the caller's memory, nothing copied.

    Parameters
    ----------
    name : str
        What the caller calls it, for the message.
    array
        With ``__cuda_array_interface__`` or DLPack on a CUDA device: CuPy, PyTorch, numba-cuda.

    Raises
    ------
    InputError
        If the array does not lie on a CUDA device.
    """
    if isinstance(array, DeviceArray):
        return array.raw
    if getattr(array, "__cuda_ndarray__", False):
        return array
    if hasattr(array, "__cuda_array_interface__"):
        return cuda.as_cuda_array(array, sync=False)
    if hasattr(array, "__dlpack_device__") and array.__dlpack_device__()[0] == _DLPACK_CUDA:
        return cuda.as_cuda_array(_Interface(array), sync=False)
    raise InputError(
        f'{name}: a {type(array).__name__} in host memory, backend "cuda" needs a device array: '
        "give a CuPy array, a PyTorch tensor on the GPU or numba.cuda.to_device(array)"
    )


def stream_of(array):
    """The stream that an array's interface names, as a number; None where it names none."""
    interface = getattr(array, "__cuda_array_interface__", None) or {}
    return interface.get("stream")


def overlap(one, other):
    """Whether two device arrays share memory."""
    (start, end), (first, last) = _extent(one), _extent(other)
    return start < last and first < end


def _extent(raw):
    """First address of a contiguous array, and the one behind it."""
    start = raw.ctypes.data if simulated() else raw.__cuda_array_interface__["data"][0]
    return start, start + raw.size * raw.dtype.itemsize


class _Interface:
    """The CUDA array interface of an array that speaks DLPack only."""

    def __init__(self, array):
        from cuda.core.utils import StridedMemoryView

        view = StridedMemoryView.from_dlpack(array, stream_ptr=-1)
        strides = view.strides and tuple(stride * view.dtype.itemsize for stride in view.strides)
        self.owner = view
        self.__cuda_array_interface__ = {
            "shape": tuple(view.shape),
            "strides": strides,
            "typestr": np.dtype(view.dtype).str,
            "data": (view.ptr, view.readonly),
            "version": 3,
        }


def empty(size, dtype):
    """A flat device array of any content."""
    return guarded(cuda.device_array, max(size, 1), np.dtype(dtype))


def zeros(run):
    """A function that makes device arrays of zeros, as ``numpy.zeros`` makes host arrays.

    Parameters
    ----------
    run : Launcher
    """

    def make(shape, dtype):
        array = DeviceArray(guarded(cuda.device_array, shape, np.dtype(dtype)), run)
        array.fill(0)
        return array

    return make


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array in device memory that stores can be made of.

    It answers the protocols of NumPy, so that the stores' readable semantics hold for it too:
    rows are gathered into host memory, whatever NumPy does to it happens there, and what belongs
    back is written back. Only what a step does to whole arrays (filling, scaling) runs on the
    device, on the stream of the step and without waiting.

    Parameters
    ----------
    raw : device array of numba-cuda
        C-contiguous.
    run : Launcher

    Attributes
    ----------
    raw, shape, dtype, size, nbytes
    """

    def __init__(self, raw, run):
        self.raw, self._run = raw, run
        self.shape, self.dtype = tuple(raw.shape), np.dtype(raw.dtype)
        self.size, self.nbytes = int(raw.size), int(raw.size) * self.dtype.itemsize
        self.ndim = len(self.shape)

    @property
    def __cuda_array_interface__(self):
        return self.raw.__cuda_array_interface__

    @property
    def flat(self):
        """The raw array in one dimension."""
        return self.raw.reshape(self.size)

    def __array__(self, dtype=None, copy=None):
        host = guarded(self.raw.copy_to_host, stream=self._run.stream)
        if self._run.stream:
            self._run.stream.synchronize()
        return host if dtype is None else host.astype(dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **settings):
        target = out[0] if out else None
        if target is self and ufunc is np.multiply and np.isscalar(inputs[1]):
            self._run.flat(multiply, self.size, self.flat, self.dtype.type(inputs[1]))
            return self
        if method == "at":
            return self._change_at(ufunc, *inputs[1:])
        answer = getattr(ufunc, method)(*map(_on_host, inputs), **settings)
        if target is None:
            return answer
        target[...] = answer
        return target

    def _change_at(self, ufunc, index, values):
        """``ufunc.at``: the rows concerned come to the host and go back."""
        touched, places = np.unique(index, return_inverse=True)
        rows = self[touched]
        ufunc.at(rows, places.reshape(np.shape(index)), values)
        self[touched] = rows

    def __getitem__(self, index):
        if isinstance(index, (int, np.integer, slice)):
            return DeviceArray(self.raw[index], self._run)
        index = np.asarray(index, np.int64)
        values = np.zeros((index.size, *self.shape[1:]), self.dtype)
        if index.size:
            values = cuda.to_device(values.reshape(index.size, -1), stream=self._run.stream)
            slots = cuda.to_device(index.ravel(), stream=self._run.stream)
            cells = self._rows()
            self._run.rows(gather, index.size, cells.shape[1], cells, slots, values)
            values = np.asarray(DeviceArray(values, self._run))
        return values.reshape(*index.shape, *self.shape[1:])

    def __setitem__(self, index, values):
        if index is Ellipsis:
            # a copy: broadcasting may leave a stride of 0, which numba takes for no dimension
            host = np.array(np.broadcast_to(values, self.shape), self.dtype, order="C")
            guarded(self.raw.copy_to_device, host, stream=self._run.stream)
            return
        index = np.asarray(index, np.int64).ravel()
        if index.size:
            cells = self._rows()
            host = np.broadcast_to(values, (index.size, *self.shape[1:])).astype(self.dtype)
            values = cuda.to_device(host.reshape(index.size, -1), stream=self._run.stream)
            slots = cuda.to_device(index, stream=self._run.stream)
            self._run.rows(scatter, index.size, cells.shape[1], cells, slots, values)

    def _rows(self):
        return self.raw.reshape(self.shape[0], self.size // self.shape[0])

    def __copy__(self):
        """The array in host memory, as NumPy's: what a state holds."""
        return np.asarray(self)

    def __len__(self):
        return self.shape[0]

    def fill(self, value):
        """Set every entry."""
        self._run.flat(fill, self.size, self.flat, self.dtype.type(value))

    def copy_from(self, other):
        """Take over the entries of a device array of the same shape and dtype."""
        self.raw.copy_to_device(other.raw, stream=self._run.stream)

    def reshape(self, *shape):
        """The same memory in another shape."""
        known = -math.prod(shape) if -1 in shape else 1
        shape = tuple(self.size // known if length == -1 else length for length in shape)
        return DeviceArray(self.raw.reshape(shape), self._run)

    def sum(self, axis=None):
        """As NumPy's, on the host; an array goes back to the device."""
        return self._back(np.asarray(self).sum(axis))

    def max(self, axis=None):
        """As NumPy's, on the host; an array goes back to the device."""
        return self._back(np.asarray(self).max(axis))

    def _back(self, answer):
        if np.ndim(answer) == 0:
            return answer
        host = np.ascontiguousarray(answer)
        return DeviceArray(cuda.to_device(host, stream=self._run.stream), self._run)

    def __repr__(self):
        return f"<DeviceArray {self.shape} of {self.dtype}>"


def _on_host(value):
    return np.asarray(value) if isinstance(value, DeviceArray) else value
