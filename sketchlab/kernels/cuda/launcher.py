"""Kernels prepared once and launched at every step, on the stream of the step."""

from contextlib import contextmanager
from importlib import import_module

import numpy as np

from sketchlab.kernels.cuda.driver import cuda, require, simulated
from sketchlab.kernels.cuda.elementwise import fill
from sketchlab.kernels.cuda.loops import THREADS, WARP
from sketchlab.kernels.cuda.memory import allocate

__all__ = ["DEFAULT_STREAM", "Launcher", "Prepared", "machine_here"]

#: The legacy default stream: 0 to numba-cuda and PyTorch, 1 in array interfaces.
DEFAULT_STREAM = 1

_LONG = 4 * WARP  # columns
# Resident blocks of 256 threads on one multiprocessor: a grid of that many fills the GPU.
_BLOCKS_EACH = 8
# Most blocks of a grid for each multiprocessor. Where registers let fewer than eight be resident, a
# grid of eight would end with half of the GPU idle; of many short blocks the end does not count.
_MOST_BLOCKS_EACH = 64
# The same for kernels whose blocks wait for each other: all must fit, with 128 registers a thread.
_BLOCKS_TOGETHER = 2


def machine_here():
    """What launches, copies and waits: the driver's functions, or those of the simulator."""
    return import_module(f"{__package__}.{'simulation' if simulated() else 'bindings'}")


class Prepared:
    """A kernel ready to be launched.

    Parameters
    ----------
    run : Launcher
    launch : Launch
        Of `bindings` or of `simulation`.
    """

    def __init__(self, run, launch):
        self._run, self._launch = run, launch

    def over_rows(self, rows, columns):
        """Threads side by side over columns, rows in a grid-stride loop.

        A warp has a row, and finds its cells once for all of its columns; where rows are too few
        to fill the GPU, more threads share one.
        """
        run, across = self._run, 1
        while across < min(columns, run.threads):
            if across >= WARP and rows * across >= run.threads * run.blocks:
                break
            across *= 2
        below = run.threads // across
        self._launch.shape(max(1, min(-(-rows // below), run.most)), across, below)
        return self

    def over(self, count):
        """One thread for each of `count` items, in a grid-stride loop."""
        run = self._run
        self._launch.shape(max(1, min(-(-count // run.threads), run.most)), run.threads, 1)
        return self

    def over_columns(self, columns):
        """A warp side by side over columns, what is added up below each other."""
        run, across = self._run, 1
        while across < min(WARP, run.threads):
            across *= 2
        blocks = max(1, min(-(-columns // across), run.most))
        self._launch.shape(blocks, across, run.threads // across)
        return self

    def in_blocks(self, blocks):
        """A number of blocks, of all their threads side by side."""
        self._launch.shape(blocks, self._run.threads, 1)
        return self

    def over_rows_together(self, rows, columns):
        """As `over_rows`, with no more blocks than run at the same time, and long rows shared."""
        run, across = self._run, 1
        while across < min(columns, _LONG, run.threads):
            across *= 2
        below = run.threads // across
        self._launch.shape(max(1, min(-(-rows // below), run.together)), across, below)
        return self

    def __call__(self):
        """Launch on the current stream."""
        self._launch(self._run.stream)


class Launcher:
    """Prepares kernels, and orders what they do with the work of other streams.

    Parameters
    ----------
    home : int
        The stream of what is done outside steps: it must stay.

    Attributes
    ----------
    stream : int
        Of the current work.
    threads, blocks, most, together : int
        Threads of a block; blocks that fill the GPU; the most of a grid; those that surely run at
        the same time.
    """

    def __init__(self, home=DEFAULT_STREAM):
        require()
        self.home = self.stream = home
        self._working = False
        self.machine = machine_here()
        self.device = self.machine.current_device()
        if simulated():  # every simulated thread is one of the operating system's
            self.threads, self.blocks, self.most, self.together = 4, 2, 2, 1
        else:
            multiprocessors = cuda.get_current_device().MULTIPROCESSOR_COUNT
            self.threads = THREADS
            self.blocks = _BLOCKS_EACH * multiprocessors
            self.most = _MOST_BLOCKS_EACH * multiprocessors
            self.together = _BLOCKS_TOGETHER * multiprocessors
        self._done, self._others = self.machine.Event(), self.machine.Event()
        self._arrived = None

    # -- streams -------------------------------------------------------------------------------

    @contextmanager
    def on(self, stream, after=()):
        """Launch on `stream` inside the block.

        On the device, the stream first waits for what was launched here before, and for all that
        the streams in `after` have been given up to now.
        """
        self.begin(stream, after)
        try:
            yield
        finally:
            self.end()

    def begin(self, stream, after=()):
        """Enter the block of `on`."""
        self.machine.current_device()  # of a new thread
        if stream != self.stream:
            self._done.wait(stream)
            self.stream = stream
        for other in after:
            if other != stream:
                self._others.record(other)
                self._others.wait(stream)
        self._working = True

    def end(self):
        """Leave it; the stream may be gone by the next call, so its work is marked now."""
        self._working = False
        self._done.record(self.stream)

    @contextmanager
    def anywhere(self):
        """Launch inside the block on the stream of the step that runs, else on the home stream."""
        if self._working:
            yield
        else:
            with self.on(self.home):
                yield

    # -- kernels -------------------------------------------------------------------------------

    def prepare(self, kernel, *arguments, together=False):
        """A kernel with its arguments, ready for many launches.

        Parameters
        ----------
        kernel : callable
        arguments
            `Number` and `Array` where they change, memory and plain numbers where they stay.
        together : bool
            Whether blocks wait for each other.

        Returns
        -------
        Prepared
        """
        return Prepared(self, self._launch(kernel, arguments, together))

    def _launch(self, kernel, arguments, together):
        return self.machine.Launch(kernel, arguments, together)

    @property
    def arrived(self):
        """The counter at which blocks wait for each other, see `loops.wait_for_grid`."""
        if self._arrived is None:
            self._arrived = self.zeros((1,), "uint32")
        return self._arrived

    # -- whole arrays, outside steps or seldom in them -----------------------------------------

    def rows(self, kernel, rows, columns, *arguments):
        """Run a kernel once, over rows and columns."""
        with self.anywhere():
            self.prepare(kernel, *arguments).over_rows(rows, columns)()

    def flat(self, kernel, count, *arguments):
        """Run a kernel once, over items."""
        with self.anywhere():
            self.prepare(kernel, *arguments).over(count)()

    def zeros(self, shape, dtype):
        """Memory of zeros."""
        memory = allocate(shape, dtype)
        self.flat(fill, memory.size, memory.reshape(memory.size), memory.dtype.type(0))
        return memory

    def to_host(self, memory):
        """A copy as a NumPy array; waits for it."""
        host = np.empty(memory.shape, memory.dtype)
        if memory.size:
            with self.anywhere():
                self.machine.copy_to_host(host, memory, self.stream)
        return host

    def to_device(self, host, memory=None):
        """Copy a NumPy array to memory, or to new one; waits for it."""
        host = np.ascontiguousarray(host)
        memory = allocate(host.shape, host.dtype) if memory is None else memory
        if memory.size:
            with self.anywhere():
                self.machine.copy_to_device(memory, host, self.stream)
        return memory

    def copy(self, target, source):
        """Copy memory to memory on the device."""
        with self.anywhere():
            self.machine.copy_on_device(target, source, self.stream)
