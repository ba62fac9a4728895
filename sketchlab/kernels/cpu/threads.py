"""The threads of the kernels: steps that take turns, and processes that were forked."""

import os
import threading

import numba

from sketchlab.errors import BackendError

__all__ = ["PARTS", "check_not_lost", "one_at_a_time"]

#: Into how many parts a sum over many rows is divided: a fixed number, so that its bits do not
#: depend on the number of threads.
PARTS = 32

_FORK_SAFE = "workqueue"


class _Threads:
    """What this process knows of its threads."""

    def __init__(self):
        # Numba's workqueue layer aborts the process when two Python threads run parallel kernels at
        # once; a step uses all cores anyway, so steps take turns.
        self.turn = threading.Lock()
        self.lost_layer = None

    def forked(self):
        """Note, in a new child, whether the parent had started threads that a fork leaves behind.

        A kernel would then end the process (OpenMP of GCC) or wait for them forever.
        """
        self.turn = threading.Lock()  # the parent may have held it
        try:
            layer = numba.threading_layer()
        except ValueError:  # no threads were started
            return
        if layer != _FORK_SAFE:
            self.lost_layer = layer


_THREADS = _Threads()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_THREADS.forked)


def one_at_a_time():
    """The lock under which kernels run."""
    return _THREADS.turn


def check_not_lost():
    """Refuse to run kernels in a process that a fork has left without its threads.

    Raises
    ------
    BackendError
        If the process was forked after its parent had run kernels in parallel.
    """
    if _THREADS.lost_layer:
        raise BackendError(
            f"this process was forked from one that had started threads ({_THREADS.lost_layer}), "
            "which do not survive a fork: start worker processes with "
            "multiprocessing.get_context('spawn') or joblib's 'loky', or set "
            "NUMBA_THREADING_LAYER=workqueue, or build the optimizer with backend='reference'"
        )
