"""Where runs are made: processes of this machine, a Dask cluster, or the processes of an MPI job.

Workers elsewhere need the same checkout as their working directory (or on ``PYTHONPATH``), and one
thread each: ``OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1``.
"""

import os
import sys
from concurrent.futures import BrokenExecutor
from contextlib import closing, contextmanager
from importlib.util import find_spec

from analysis.lab.errors import UsageError
from analysis.lab.pool import worker_pool

#: How long a Dask scheduler may take to answer.
PATIENCE = "10s"


@contextmanager
def executor(name="local", jobs=None):
    """Give the executor of a name, for the runner; leaving the block ends what still runs.

    Parameters
    ----------
    name : str
        ``"local"``, ``"dask:ADDRESS"`` of a scheduler, or ``"mpi"``.
    jobs : int, optional
        Processes of the local one; as many as there are cores by default.

    Raises
    ------
    UsageError
        If the name is unknown, a package is missing, or nobody answers.
    """
    kind, _, address = name.partition(":")
    if name not in ("local", "mpi") and not (kind == "dask" and address):
        raise UsageError(f"--executor {name}: known are local, dask:ADDRESS and mpi")
    if jobs is not None and name != "local":
        raise UsageError(f"--jobs {jobs}: --executor {name} has workers of its own, leave it out")
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs {jobs}: must be at least 1")
    made = {"local": lambda: worker_pool(jobs or os.cpu_count()), "mpi": _mpi}
    with made[name]() if name in made else _dask(name, address) as workers:
        yield workers


def lost_with_a_worker(workers):
    """Return the exceptions with which an executor says that a worker died during a call."""
    return (BrokenExecutor, *getattr(workers, "worker_died", ()))


@contextmanager
def _dask(name, address):
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise _missing(name, "Dask", "cluster") from None
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"--executor {name}: no scheduler answers there ({error})") from None
    with closing(client):
        if client.scheduler_info()["workers"]:
            _check_code(name, client)
        else:
            print(f"{name} has no workers yet: runs begin when one comes", file=sys.stderr)
        workers = client.get_executor(pure=False)  # a run that is tried again is made again
        workers.worker_died = (KilledWorker,)
        try:
            yield workers
        finally:
            workers.shutdown(wait=False)


def _check_code(name, client):
    """Refuse workers that cannot import what they are to run."""
    try:
        client.submit(_present, pure=False).result()
    except ImportError as error:
        raise UsageError(
            f"--executor {name}: its workers cannot run the laboratory ({error}): start them in "
            "a checkout like this one"
        ) from None


def _present():
    """Nothing, but only where this module can be imported."""


@contextmanager
def _mpi():
    if find_spec("mpi4py") is None:
        raise _missing("mpi", "mpi4py and an MPI library", "mpi")
    # before MPI is imported, which makes a job of this process
    started = "mpi4py.futures" in sys.orig_argv
    if started:
        from mpi4py import MPI
        from mpi4py.futures import MPIPoolExecutor
    if not started or MPI.COMM_WORLD.size < 2:
        raise UsageError(
            "--executor mpi needs a job of two processes or more, one of which hands out runs: "
            "start `mpirun -n 3 python -m mpi4py.futures -m analysis run ...`"
        )
    workers = MPIPoolExecutor()
    try:
        yield workers
    finally:
        workers.shutdown(wait=False, cancel_futures=True)


def _missing(name, package, extra):
    return UsageError(f"--executor {name} needs {package}: pip install 'sketchlab[{extra}]'")
