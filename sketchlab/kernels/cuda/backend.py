"""The CUDA backend: one optimizer's rule × store loops on a GPU, see `CUDA`."""

import numpy as np

from sketchlab.errors import BackendError, ConfigurationError
from sketchlab.kernels.cuda import inputs
from sketchlab.kernels.cuda.active import EveryRow, SortedRows
from sketchlab.kernels.cuda.arrays import empty, overlap, stream_of, zeros
from sketchlab.kernels.cuda.driver import Launcher
from sketchlab.kernels.cuda.elementwise import copy_rows, fill
from sketchlab.kernels.cuda.move import move
from sketchlab.kernels.cuda.plans import Tools, check_known, plan_for
from sketchlab.kernels.cuda.sorting import sort
from sketchlab.kernels.cuda.views import NoMoment
from sketchlab.kernels.interface import Backend, Given
from sketchlab.kernels.scratch import Scratch

__all__ = ["CUDA"]


class CUDA(Backend):
    """The backend ``"cuda"`` of one optimizer.

    Tables, gradients and rows are device arrays: CuPy's, PyTorch's, numba-cuda's, anything with
    the CUDA array interface or DLPack. Nothing is copied to the host and the host never waits
    for the device in a step; scratch memory is kept from step to step.

    A sparse step is (1) rows sorted on the device, so that equal ones are neighbours; (2) for every
    auxiliary variable in a sketch its cells advanced: changes that depend on answers written
    down first, (k, dim), then added by atomics; (3) one kernel that reads the variables, applies
    the rule and moves the parameters. Exact variables are advanced in (3), where they are read;
    sketches with ``bucket`` decay and shrunken ones after it, as their answers are of the cells
    before the step; what shrinks these is measured in (2).
    A row's gradients are summed whenever its gradient is needed.

    A dense step never stores a value of an auxiliary variable for each parameter. With exact
    variables and ``SGD`` it is one pass over the table. With sketches it is two: every addition
    must come before the first answer (under ``"bucket"`` after the last), since rows share cells;
    the pass that adds reads the gradients only. ``"lazy"`` and conservative changes read old
    answers while cells already move, so a dense step takes a snapshot of the sketch first, which
    is smaller than the table; a rank-one store reads the gradients twice, for its rows and for
    its columns.

    Parameters
    ----------
    deterministic : bool
        The same bits at every run: cells are changed by the threads that own them, rows in
        ascending order, instead of by atomics in any order. Costs a sort of depth · k cell
        numbers for each sketch, 32 · depth · k bytes of scratch, and time where many rows share
        a cell. The conservative update is the same to the bit without it.
    stream : optional
        A stream of numba-cuda, or its pointer as int. By default the stream that the interface
        of `grads` names, else the default stream.

    Raises
    ------
    BackendError
        If numba-cuda, the toolkit, the driver or a GPU is missing, or the driver is too old.
    """

    name = "cuda"

    def __init__(self, deterministic=False, stream=None):
        self._run = Launcher()
        self._scratch = Scratch(empty)
        self._deterministic = bool(deterministic)
        self._stream = stream
        # a compiler that is missing shows now, not in the middle of a step
        self._run.flat(fill, 1, empty(1, np.float32), np.float32(0))

    def __reduce__(self):
        raise BackendError(
            "an optimizer on a device cannot be copied or pickled, since its arrays belong to this "
            "process and its streams: make another one on a copy of the table, and give it "
            "state_dict()"
        )

    # -- what the backend's arrays are ---------------------------------------------------------

    def view(self, table):
        """The table as rows of columns, (n, dim), over the same memory."""
        return inputs.checked_table(table)

    def allocate(self, description, n, dim, dtype):
        """A live store of zeros in device memory."""
        if description.host_only:
            raise ConfigurationError(f"{description!r} {description.host_only}")
        self._run.use(self._stream)
        store = description.allocate(n, dim, dtype, zeros=zeros(self._run))
        check_known(store)
        return store

    def checks_finite(self, stores):
        """Only where the caller asks for it: the host would wait for the device at every step."""
        return False

    def inputs(self, grads, rows, table, shape, check_finite, look):
        """Gradients and rows of a step, checked; their values only where `check_finite` is set.

        A row out of range that is not checked for takes no part in the step.
        """
        n, dim = map(int, table.shape)
        self._run.use(stream_of(grads) if self._stream is None else self._stream)
        if rows is None:
            grads = inputs.checked_grads(grads, [shape, (n, dim)], table.dtype)
        else:
            rows = inputs.checked_rows(rows)
            k = int(rows.size)
            grads = inputs.checked_grads(grads, [(k, *shape[1:]), (k, dim)], table.dtype)
            if check_finite and k:
                inputs.check_rows(self._run, rows, n)
        if grads is not None:
            if check_finite:
                inputs.check_finite_grads(self._run, grads)
            if overlap(grads, table):  # a part of the table would change while it is read
                apart = self._scratch.array("grads", grads.shape, grads.dtype)
                apart.copy_to_device(grads, stream=self._run.stream)
                grads = apart
        return Given(grads, rows, 0.0)

    # -- a step --------------------------------------------------------------------------------

    def step(self, rule, scalars, table, given, stores, ready):
        """Take one step; see `Backend.step`."""
        grads, rows, _ = given
        items = int(table.shape[0] if rows is None else rows.size)
        n = int(table.shape[0])
        # plans and sorting ask for all the memory; nothing has changed up to there
        tools = Tools(self._run, self._scratch, self._deterministic)
        plans = [plan_for(store, items, tools) for store in stores]
        active = EveryRow(n) if rows is None else self._sorted(rows, n)
        ready()
        views = {"m": NoMoment(False), "v": NoMoment(True)}
        for moment, plan, (keep, gain) in zip(rule.moments, plans, rule.recursions()):
            views[moment.name] = plan.advance(active, items, grads, moment, keep, gain)
        if items:
            self._run.rows(
                move, items, table.shape[1], scalars, table, active, items, grads, *views.values()
            )
            for plan in plans:
                plan.finish()

    def _sorted(self, rows, n):
        """The rows in ascending order, and which gradient belongs to which."""
        k = int(rows.size)
        if k == 0:
            return SortedRows(n, rows, rows)
        keys, order = (self._scratch.array(name, (k,), np.int64) for name in ("rows", "sources"))
        self._run.flat(copy_rows, k, rows, n, keys, order)
        return SortedRows(n, *sort(self._run, self._scratch, "rows", keys, order, n.bit_length()))
