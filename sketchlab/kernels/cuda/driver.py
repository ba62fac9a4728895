"""The import of numba-cuda, its errors as one-sentence messages, and the launch of kernels.

Plain numba-cuda without a toolkit fails to import with a RuntimeError, and a machine may lack a
driver, a GPU or a compiler. The other modules import ``cuda`` from this one, so that they can be
imported, read and documented on any machine; `require` says what is missing when the backend is
made.
"""

import warnings
from functools import cache

from sketchlab.errors import BackendError

try:
    from numba import cuda

    _REASON = None
except Exception as error:  # ImportError, RuntimeError and what a damaged toolkit may raise
    cuda, _REASON = None, error  # type: ignore[assignment]

__all__ = ["Launcher", "cuda", "device", "guarded", "require", "simulated"]

_THREADS, _WARP = 256, 32
# Resident blocks of 256 threads on one multiprocessor: a grid of that many fills the GPU.
_BLOCKS_EACH = 8
_LEGACY_STREAM, _PER_THREAD_STREAM = 1, 2
_OUT_OF_MEMORY = "OUT_OF_MEMORY"


def device(function):
    """A device function that names ``cuda`` and is called from the kernels of another module."""
    return function if cuda is None else cuda.jit(device=True)(function)


def simulated():
    """Whether kernels run in numba-cuda's simulator."""
    return cuda is not None and bool(cuda.config.ENABLE_CUDASIM)


def require():
    """Raise a `BackendError` that says what is missing, when kernels cannot run here."""
    if cuda is None:
        raise BackendError(
            f'backend="cuda" needs numba-cuda and a CUDA toolkit ({_in_short(_REASON)}): '
            "pip install 'sketchlab[cuda13]', or 'sketchlab[cuda12]' for an older driver"
        )
    if simulated():
        return
    try:
        cuda.current_context()
        driver, toolkit = cuda.cudadrv.driver.driver.get_version(), cuda.runtime.get_version()
    except Exception as error:
        raise BackendError(
            f"no usable NVIDIA driver and GPU ({_in_short(error)}): install or update the "
            'driver, or use backend="cpu"'
        ) from error
    if driver[0] < toolkit[0]:
        raise BackendError(
            f"the NVIDIA driver is too old: it runs CUDA {driver[0]}.{driver[1]}, the installed "
            f"toolkit is {toolkit[0]}.{toolkit[1]}: update the driver, or install "
            "'sketchlab[cuda12]'"
        )


def guarded(function, *arguments, **settings):
    """Call into numba-cuda; its failures come out as a `BackendError`."""
    try:
        return function(*arguments, **settings)
    except Exception as error:
        if _OUT_OF_MEMORY in str(error):
            raise BackendError(
                "the GPU is out of memory: free arrays, use fewer rows a step or a smaller sketch "
                f"({_in_short(error)}); the optimizer is unchanged"
            ) from error
        if _reported_by_cuda(error):
            raise BackendError(
                f"CUDA failed ({_in_short(error)}): check that driver and toolkit fit, see "
                "python -m numba -s"
            ) from error
        raise


def _reported_by_cuda(error):
    """Whether an exception is one by which numba-cuda or NVIDIA's packages report a failure."""
    homes = ("numba.cuda.cudadrv", "cuda.")
    return any(cls.__module__.startswith(homes) for cls in type(error).__mro__)


def _in_short(error):
    """An error's message in one line."""
    return " ".join(str(error).split())[:160].rstrip(".:,;- ") or type(error).__name__


class Launcher:
    """Runs kernels on one stream, in grids that fill the GPU.

    Attributes
    ----------
    stream : stream
        Set before each step to the caller's.
    """

    def __init__(self):
        require()
        self.stream = 0
        self._seen = set()
        self.threads = _THREADS
        if simulated():  # every simulated thread is one of the operating system's
            self.threads, self.blocks = 4, 2
        else:
            multiprocessors = cuda.get_current_device().MULTIPROCESSOR_COUNT
            self.blocks = _BLOCKS_EACH * multiprocessors

    def use(self, stream):
        """Launch on `stream` from now on: a stream of numba-cuda, a pointer as int, or None.

        A new stream waits, on the device, for what was launched on the one before.
        """
        stream = _stream(stream) if isinstance(stream, int) else stream or 0
        if stream is not self.stream:
            done = cuda.event()
            done.record(self.stream)
            done.wait(stream)
            self.stream = stream

    def rows(self, kernel, rows, columns, *arguments):
        """Run `kernel` with threads side by side over columns, rows in a grid-stride loop.

        A warp has a row, and finds its cells once for all of its columns; where rows are too few
        to fill the GPU, more threads share one.
        """
        across = 1
        while across < min(columns, self.threads):
            if across >= _WARP and rows * across >= self.threads * self.blocks:
                break
            across *= 2
        below = self.threads // across
        blocks = max(1, min(-(-rows // below), self.blocks))
        self._launch(kernel, blocks, (across, below), arguments)

    def flat(self, kernel, count, *arguments):
        """Run `kernel` with one thread for each of `count` items, in a grid-stride loop."""
        blocks = max(1, min(-(-count // self.threads), self.blocks))
        self._launch(kernel, blocks, self.threads, arguments)

    def block(self, kernel, *arguments):
        """Run `kernel` in a single block."""
        self._launch(kernel, 1, self.threads, arguments)

    def _launch(self, kernel, blocks, threads, arguments):
        grid = kernel, blocks, threads, self.stream
        if grid in self._seen:
            launch = _compiled(kernel)[blocks, threads, self.stream]
        else:
            with warnings.catch_warnings():  # numba-cuda warns of every small grid
                warnings.simplefilter("ignore")
                launch = _compiled(kernel)[blocks, threads, self.stream]
            self._seen.add(grid)
        guarded(launch, *arguments)


@cache
def _compiled(kernel):
    """The kernel, which compiles itself at its first call with arguments of new types."""
    return cuda.jit(kernel)


@cache
def _stream(pointer):
    """The stream that an array interface names by a number."""
    if pointer == _LEGACY_STREAM:
        return cuda.legacy_default_stream()
    if pointer == _PER_THREAD_STREAM:
        return cuda.per_thread_default_stream()
    return cuda.external_stream(pointer) if pointer else 0
