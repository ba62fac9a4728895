"""Worker processes for the runner: one thread each, and gone as soon as the main process is.

Each is a pool of its own, so that one that dies takes no other's call along.
"""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

_THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@contextmanager
def worker_pool(jobs):
    """Give an executor of `jobs` spawned processes; leaving the block early ends them at once.

    The main process holds one end of a pipe, the workers the other. They end when it closes:
    after the block, after Ctrl-C, and also when the main process was killed.
    """
    context = multiprocessing.get_context("spawn")
    worker_end, lifeline = context.Pipe(duplex=False)
    process = partial(
        ProcessPoolExecutor, 1, mp_context=context, initializer=_start, initargs=(worker_end,)
    )
    with _environment(dict.fromkeys(_THREAD_LIMITS, "1")):
        pool = _Processes(jobs, process)
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            lifeline.close()
            pool.shutdown()  # Python, ending, would write to pipes that a pool is closing
            worker_end.close()


class _Processes(Executor):
    """Threads that hand calls on, each to a process of its own; a new one where it died.

    The call that it died of gets `BrokenExecutor`.
    """

    def __init__(self, jobs, process):
        self._threads, self._process = ThreadPoolExecutor(jobs), process
        self._of_thread, self._all = threading.local(), []

    def submit(self, function, /, *arguments):
        """Return the future of a call."""
        return self._threads.submit(self._call, function, *arguments)

    def _call(self, function, *arguments):
        mine = self._of_thread
        if getattr(mine, "process", None) is None:
            mine.process = self._process()
            self._all.append(mine.process)
        try:
            return mine.process.submit(function, *arguments).result()
        except BrokenExecutor:
            mine.process = None
            raise

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Take no more calls, and forget those that wait where asked to.

        With `wait`, the processes are gone afterwards.
        """
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            for process in self._all:
                process.shutdown()


def _start(lifeline):
    """Leave Ctrl-C to the main process, and watch it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_main_process, args=(lifeline,), daemon=True).start()


def _end_with_main_process(lifeline):
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


@contextmanager
def _environment(changes):
    """Set variables that spawned processes inherit, and put the old values back afterwards."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
