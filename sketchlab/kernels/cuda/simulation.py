"""What `bindings` does, in numba-cuda's simulator: kernels run as Python, and nothing waits."""

from functools import cache

from sketchlab.kernels.cuda.arguments import current
from sketchlab.kernels.cuda.driver import cuda

__all__ = [
    "Event",
    "Launch",
    "copy_on_device",
    "copy_to_device",
    "copy_to_host",
    "current_device",
    "device_of",
]


class Launch:
    """One kernel with its arguments, see `bindings.Launch`."""

    def __init__(self, kernel, arguments, together):
        self._kernel, self._arguments, self._grid = kernel, arguments, None

    def shape(self, blocks, across, below):
        """Set the number of blocks, and of threads in each."""
        self._grid = blocks, (across, below)

    def __call__(self, stream):
        """Run the kernel."""
        _simulated(self._kernel)[self._grid](*current(self._arguments))


@cache
def _simulated(kernel):
    return cuda.jit(kernel)


class Event:
    """A point in the work of a stream: everything is done at once."""

    def record(self, stream):
        """Do nothing."""

    def wait(self, stream):
        """Do nothing."""


def current_device():
    """Number of the device: there is one."""
    return 0


def device_of(address):
    """Number of the device whose memory an address is in."""
    return 0


def copy_on_device(target, source, stream):
    """Copy memory to memory."""
    target.owner.copy_to_device(source.owner)


def copy_to_host(host, source, stream):
    """Copy memory to a NumPy array."""
    host[...] = source.owner.copy_to_host()


def copy_to_device(target, host, stream):
    """Copy a NumPy array to memory."""
    target.owner.copy_to_device(host)
