"""Arrays on the device: those that callers hand in, and those that stores are made of."""

from typing import NamedTuple

import numpy as np

from sketchlab.errors import InputError
from sketchlab.kernels.cuda.driver import simulated
from sketchlab.kernels.cuda.elementwise import fill, gather, multiply, scatter
from sketchlab.kernels.cuda.launcher import DEFAULT_STREAM
from sketchlab.kernels.cuda.memory import Memory, allocate
from sketchlab.kernels.cuda.streams import is_tensor

__all__ = ["DeviceArray", "HandedIn", "as_device", "zeros"]

_DLPACK_CUDA = 2


class HandedIn(NamedTuple):
    """An array that a caller handed in; nothing is copied.

    Attributes
    ----------
    memory : Memory
        Valid where `contiguous` is set.
    contiguous, read_only : bool
    """

    memory: Memory
    contiguous: bool
    read_only: bool


def as_device(name, array, stream=DEFAULT_STREAM):
    """The memory of a caller's array.

    Parameters
    ----------
    name : str
        What the caller calls it, for the message.
    array
        With ``__cuda_array_interface__`` or DLPack on a CUDA device: CuPy, PyTorch, numba-cuda.
    stream : int
        That of the step: an array that speaks DLPack is told to have its work done for it.

    Raises
    ------
    InputError
        If the array does not lie on a CUDA device, or belongs to a graph of automatic derivatives.
    """
    if isinstance(array, DeviceArray):
        return HandedIn(array.memory, True, False)
    if getattr(array, "requires_grad", False):
        raise InputError(
            f"{name}: a {type(array).__name__} that requires grad, whose values autograd keeps "
            "track of: give tensor.detach()"
        )
    if simulated() and getattr(array, "__cuda_ndarray__", False):
        contiguous = array.is_c_contiguous()
        return HandedIn(
            Memory(0, tuple(array.shape), np.dtype(array.dtype), array), contiguous, False
        )
    interface = None
    if _speaks_dlpack(array) and not _names_stream(array):
        interface = _from_dlpack(array, stream)
    elif hasattr(array, "__cuda_array_interface__"):
        interface = array.__cuda_array_interface__
    if interface is None:
        raise InputError(
            f'{name}: a {type(array).__name__} in host memory, backend "cuda" needs a device '
            "array: give a CuPy array, a PyTorch tensor on the GPU or numba.cuda.to_device(array)"
        )
    return _of_interface(interface, array)


def _of_interface(interface, array):
    shape, dtype = tuple(map(int, interface["shape"])), np.dtype(interface["typestr"])
    address, read_only = interface["data"]
    strides = interface.get("strides")
    contiguous = strides is None or 0 in shape or tuple(strides) == _strides(shape, dtype)
    return HandedIn(Memory(address or 0, shape, dtype, array), contiguous, bool(read_only))


def _strides(shape, dtype):
    """Strides of a C-contiguous array."""
    stride, strides = dtype.itemsize, []
    for length in reversed(shape):
        strides.append(stride)
        stride *= length
    return tuple(reversed(strides))


def _speaks_dlpack(array):
    return hasattr(array, "__dlpack_device__") and array.__dlpack_device__()[0] == _DLPACK_CUDA


def _names_stream(array):
    """Whether it can be learned which stream an array's contents come from."""
    if is_tensor(array):
        return True
    interface = getattr(array, "__cuda_array_interface__", None)
    return interface is not None and interface.get("version", 0) >= 3


def _from_dlpack(array, stream):
    """The CUDA array interface of an array that speaks DLPack, its work ordered before ours."""
    from cuda.core.utils import StridedMemoryView

    view = StridedMemoryView.from_dlpack(array, stream_ptr=stream)
    dtype = np.dtype(view.dtype)
    strides = view.strides and tuple(stride * dtype.itemsize for stride in view.strides)
    return {
        "shape": tuple(view.shape),
        "strides": strides,
        "typestr": dtype.str,
        "data": (view.ptr, view.readonly),
        "owner": view,
    }


def zeros(run):
    """A function that makes device arrays of zeros, as ``numpy.zeros`` makes host arrays.

    Parameters
    ----------
    run : Launcher
    """
    return lambda shape, dtype: DeviceArray(run.zeros(tuple(shape), dtype), run)


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array in device memory that stores can be made of.

    It answers the protocols of NumPy, so that the stores' readable semantics hold for it too:
    rows are gathered into host memory, whatever NumPy does to it happens there, and what belongs
    back is written back. Only what a step does to whole arrays (filling, scaling) runs on the
    device, on the stream of the step and without waiting.

    Parameters
    ----------
    memory : Memory
    run : Launcher

    Attributes
    ----------
    memory, shape, dtype, size, nbytes
    """

    def __init__(self, memory, run):
        self.memory, self._run = memory, run
        self.shape, self.dtype = memory.shape, memory.dtype
        self.size, self.nbytes = memory.size, memory.nbytes
        self.ndim = len(self.shape)

    @property
    def __cuda_array_interface__(self):
        # the home stream waits for what has been launched; a reader then has one to wait for
        with self._run.anywhere():
            stream = self._run.stream
        return {
            "shape": self.shape,
            "strides": None,
            "typestr": self.dtype.str,
            "data": (self.memory.address, False),
            "version": 3,
            "stream": stream,
        }

    @property
    def flat(self):
        """The memory in one dimension."""
        return self.memory.reshape(self.size)

    def __array__(self, dtype=None, copy=None):
        host = self._run.to_host(self.memory)
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
            return DeviceArray(self.memory[index], self._run)
        index = np.asarray(index, np.int64)
        values = np.zeros((index.size, *self.shape[1:]), self.dtype)
        if index.size:
            run, cells = self._run, self._rows()
            slots = run.to_device(index.ravel())
            found = allocate((index.size, cells.shape[1]), self.dtype)
            run.rows(gather, index.size, cells.shape[1], cells, slots, found)
            values = run.to_host(found)
        return values.reshape(*index.shape, *self.shape[1:])

    def __setitem__(self, index, values):
        if index is Ellipsis:
            host = np.array(np.broadcast_to(values, self.shape), self.dtype, order="C")
            self._run.to_device(host, self.memory)
            return
        index = np.asarray(index, np.int64).ravel()
        if index.size:
            run, cells = self._run, self._rows()
            host = np.broadcast_to(values, (index.size, *self.shape[1:])).astype(self.dtype)
            values, slots = run.to_device(host.reshape(index.size, -1)), run.to_device(index)
            run.rows(scatter, index.size, cells.shape[1], cells, slots, values)

    def _rows(self):
        return self.memory.reshape(self.shape[0], self.size // self.shape[0])

    def __copy__(self):
        """The array in host memory, as NumPy's: what a state holds."""
        return np.asarray(self)

    def __len__(self):
        return self.shape[0]

    def fill(self, value):
        """Set every entry."""
        self._run.flat(fill, self.size, self.flat, self.dtype.type(value))

    def reshape(self, *shape):
        """The same memory in another shape."""
        return DeviceArray(self.memory.reshape(*shape), self._run)

    def sum(self, axis=None):
        """As NumPy's, on the host; an array goes back to the device."""
        return self._back(np.asarray(self).sum(axis))

    def max(self, axis=None):
        """As NumPy's, on the host; an array goes back to the device."""
        return self._back(np.asarray(self).max(axis))

    def _back(self, answer):
        if np.ndim(answer) == 0:
            return answer
        return DeviceArray(self._run.to_device(answer), self._run)

    def __repr__(self):
        return f"<DeviceArray {self.shape} of {self.dtype}>"


def _on_host(value):
    return np.asarray(value) if isinstance(value, DeviceArray) else value
