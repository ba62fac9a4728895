"""Worker processes for the runner: one thread each, and gone as soon as the main process is."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

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
    with _environment(dict.fromkeys(_THREAD_LIMITS, "1")):
        pool = ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_start_worker, initargs=(worker_end,)
        )
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            lifeline.close()
            worker_end.close()


def _start_worker(lifeline):
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
