"""The CUDA driver, called directly: launches, events, copies, and where memory lies.

numba-cuda compiles the kernels. Its own launch types, checks and flattens all arguments at each
call, in hundreds of microseconds; a launch here is one call of the driver.

Streams are numbers, as the driver and array interfaces have them.
"""

from functools import cache

from sketchlab.kernels.cuda.arguments import Block
from sketchlab.kernels.cuda.compiled import compiled, signature_of
from sketchlab.kernels.cuda.driver import cuda, failed

try:
    from cuda.bindings import driver as api
except Exception:  # what a damaged package may raise; `driver.require` says what is missing
    api = None

__all__ = [
    "Event",
    "Launch",
    "copy_on_device",
    "copy_to_device",
    "copy_to_host",
    "current_device",
    "device_of",
]

_NO_TIMING = 2


def _called(result):
    """What a driver function answers, without its status."""
    status, *answer = result
    if status:
        failed(status.name)
    return answer[0] if answer else None


def _loaded(kernel, arguments):
    """The driver's function of a kernel, compiled for arguments of these types."""
    capability = tuple(cuda.get_current_device().compute_capability)
    return _load(*compiled(kernel, signature_of(arguments), capability))


@cache
def _load(cubin, name):
    library = _called(api.cuLibraryLoadData(cubin, [], [], 0, [], [], 0))
    return api.CUfunction(int(_called(api.cuLibraryGetKernel(library, name.encode()))))


class Launch:
    """One kernel with its list of arguments, to be launched again and again.

    Parameters
    ----------
    kernel : callable
        Compiled here for arguments of these types.
    arguments : tuple
        See `arguments`.
    together : bool
        Whether all blocks must run at the same time, since they wait for each other.
    """

    def __init__(self, kernel, arguments, together):
        self._function, self._block = _loaded(kernel, arguments), Block(arguments)
        self._config = config = api.CUlaunchConfig()
        config.gridDimY = config.gridDimZ = config.blockDimZ = 1
        if together:
            attribute = api.CUlaunchAttribute()
            attribute.id = api.CUlaunchAttributeID.CU_LAUNCH_ATTRIBUTE_COOPERATIVE
            attribute.value.cooperative = 1
            config.attrs, config.numAttrs = [attribute], 1
        self._stream = None

    def shape(self, blocks, across, below):
        """Set the number of blocks, and of threads in each: side by side, and below each other."""
        config = self._config
        config.gridDimX, config.blockDimX, config.blockDimY = blocks, across, below

    def __call__(self, stream):
        """Launch on a stream."""
        if stream != self._stream:
            self._config.hStream = api.CUstream(stream)
            self._stream = stream
        result = api.cuLaunchKernelEx(self._config, self._function, self._block.address, 0)
        if result[0]:
            failed(result[0].name)


class Event:
    """A point in the work of a stream, for which another stream can wait on the device."""

    def __init__(self):
        self._event = _called(api.cuEventCreate(_NO_TIMING))

    def record(self, stream):
        """Stand for all that was launched on a stream up to now."""
        _called(api.cuEventRecord(self._event, _stream(stream)))

    def wait(self, stream):
        """Let what is launched on a stream from now on wait until then."""
        _called(api.cuStreamWaitEvent(_stream(stream), self._event, 0))


@cache
def _stream(number):
    return api.CUstream(number)


def copy_on_device(target, source, stream):
    """Copy memory to memory of as many bytes."""
    result = api.cuMemcpyDtoDAsync(target.address, source.address, source.nbytes, stream)
    _called(result)


def copy_to_host(host, source, stream):
    """Copy memory to a NumPy array, and wait for it."""
    _called(api.cuMemcpyDtoHAsync(host.ctypes.data, source.address, source.nbytes, stream))
    _called(api.cuStreamSynchronize(stream))


def copy_to_device(target, host, stream):
    """Copy a C-contiguous NumPy array to memory, and wait: its pages may be freed afterwards."""
    _called(api.cuMemcpyHtoDAsync(target.address, host.ctypes.data, target.nbytes, stream))
    _called(api.cuStreamSynchronize(stream))


def current_device():
    """Number of the device that this thread works on; a new thread begins to work on one."""
    status, device = api.cuCtxGetDevice()
    if status:
        cuda.current_context()
        device = _called(api.cuCtxGetDevice())
    return int(device)


def device_of(address):
    """Number of the device whose memory an address is in."""
    return _called(
        api.cuPointerGetAttribute(
            api.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address
        )
    )
