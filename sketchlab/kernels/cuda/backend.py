"""The CUDA backend: one optimizer's rule × store loops on a GPU, see `CUDA`."""

import numpy as np

from sketchlab.errors import BackendError, ConfigurationError
from sketchlab.kernels.cuda import inputs
from sketchlab.kernels.cuda.arrays import zeros
from sketchlab.kernels.cuda.launcher import DEFAULT_STREAM, Launcher
from sketchlab.kernels.cuda.memory import allocate
from sketchlab.kernels.cuda.plans import check_known
from sketchlab.kernels.cuda.step import PreparedStep
from sketchlab.kernels.cuda.streams import hold_for, number_of, stream_of
from sketchlab.kernels.interface import Backend, Given
from sketchlab.kernels.scratch import Scratch

__all__ = ["CUDA"]


class CUDA(Backend):
    """The backend ``"cuda"`` of one optimizer.

    Tables, gradients and rows are device arrays: CuPy's, PyTorch's, numba-cuda's, anything with
    the CUDA array interface or DLPack. Nothing is copied to the host and the host never waits
    for the device in a step; scratch memory is kept from step to step.

    A sparse step is (1) rows sorted on the device, so that equal ones are neighbours, and the
    gradients of equal ones summed; (2) for auxiliary variables in sketches their cells advanced:
    changes that depend on answers written down first, (k, dim), then added by atomics; (3) one
    kernel that reads the variables, applies the rule and moves the parameters. Exact variables are
    advanced in (3), where they are read; sketches with ``bucket`` decay and shrunken ones after it,
    as their answers are of the cells before the step; what shrinks these is measured in (2). One
    kernel serves all moments that take the same part.

    Kernels and their arguments are prepared in the first step of a kind; those that follow change
    numbers and addresses in place and call the driver once for each kernel.

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
        The stream of all steps: of numba-cuda, CuPy or PyTorch, or its pointer as int; it must
        stay. By default each step runs on the stream of its `grads`: the one that their interface
        names, PyTorch's current one for its tensors, else the default stream. Either way a step
        waits, on the device, for the streams of all its inputs.

    Raises
    ------
    BackendError
        If numba-cuda, the toolkit, the driver or a GPU is missing, or the driver is too old.
    """

    name = "cuda"

    def __init__(self, deterministic=False, stream=None):
        self._stream = None if stream is None else number_of(stream)
        self._run = Launcher(self._stream or DEFAULT_STREAM)
        self._scratch = Scratch(allocate)
        self._deterministic = bool(deterministic)
        self._steps = {}
        # of the coming step: its stream, and others whose work it has to wait for
        self._next, self._others = self._run.home, []
        # a compiler that is missing shows now, not in the middle of a step
        self._run.zeros((1,), np.float32)

    def __reduce__(self):
        raise BackendError(
            "an optimizer on a device cannot be copied or pickled, since its arrays belong to this "
            "process and its streams: make another one on a copy of the table, and give it "
            "state_dict()"
        )

    # -- what the backend's arrays are ---------------------------------------------------------

    def view(self, table):
        """The table as rows of columns, (n, dim), over the same memory."""
        memory = inputs.checked_table(self._run, table, self._run.home)
        self._others = [stream_of(table)]
        return memory

    def allocate(self, description, n, dim, dtype):
        """A live store of zeros in device memory."""
        if description.host_only:
            raise ConfigurationError(f"{description!r} {description.host_only}")
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
        run, (n, dim) = self._run, table.shape
        inputs.check_current_device(run)
        named = stream_of(grads)
        self._next = stream = self._stream or named or run.home
        if rows is None:
            found = None
            memory = inputs.checked_grads(run, grads, [shape, (n, dim)], table.dtype, stream)
        else:
            found = inputs.checked_rows(run, rows, stream)
            shapes = [(found.size, *shape[1:]), (found.size, dim)]
            memory = inputs.checked_grads(run, grads, shapes, table.dtype, stream)
            self._others.append(stream_of(rows))
        self._others = [other for other in (*self._others, named) if other not in (None, stream)]
        hold_for(stream, named, grads, rows)
        if memory is not None:
            if check_finite:
                self._check_values(memory, found, n)
            if memory.overlaps(table):  # a part of the table would change while it is read
                memory = self._apart(memory)
        return Given(memory, found, 0.0)

    def _check_values(self, grads, rows, n):
        with self._run.on(self._next, self._others):
            if rows is not None:
                inputs.check_rows(self._run, rows, n)
            inputs.check_finite_grads(self._run, grads)

    def _apart(self, grads):
        """A copy of gradients that lie in the table."""
        with self._run.on(self._next, self._others):
            apart = self._scratch.array("grads", grads.shape, grads.dtype)
            self._run.copy(apart, grads)
        return apart

    # -- a step --------------------------------------------------------------------------------

    def step(self, rule, scalars, table, given, stores, ready):
        """Take one step; see `Backend.step`."""
        step = self._prepared(rule, scalars, table, given, stores)
        ready()
        self._run.begin(self._next, self._others)
        try:
            step(scalars, table, given, rule.recursions())
        except BaseException:
            self._steps, self._scratch = {}, Scratch(allocate)  # counters may be left anyhow
            raise
        finally:
            self._run.end()
        self._others = []

    def _prepared(self, rule, scalars, table, given, stores):
        """The step, prepared for this rule, these stores and so many rows."""
        items = 0 if given.grads is None else given.grads.shape[0]
        stores = tuple(stores)
        by_rows = None if given.rows is None else given.rows.dtype
        kind = type(scalars), table.dtype, table.shape, by_rows, *map(id, stores)
        known = self._steps.setdefault(kind, [])
        step = next((step for step in known if step.fits(items)), None)
        if step is None:
            made_with = self._run, self._scratch, self._deterministic
            step = PreparedStep(*made_with, rule.moments, scalars, table, given, stores)
            known[:] = [*known[-1:], step]  # older ones may be of cells that were replaced
        step.resize(items)
        return step
