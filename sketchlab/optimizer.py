"""What all optimizers share: steps that are whole, state in and out, copies."""

from collections.abc import Mapping
from copy import copy, deepcopy
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from sketchlab import checkpoint
from sketchlab.annotations import DType, FilePath, Rows, Table, Values
from sketchlab.errors import InputError, TornStepError
from sketchlab.hyper_parameters import checked_weight_decay, hyper_parameter
from sketchlab.interrupts import HeldInterrupt
from sketchlab.kernels import make_backend
from sketchlab.kernels.interface import Backend, Given
from sketchlab.stores import Dense, Store
from sketchlab.stores.description import check_pairing
from sketchlab.stores.live import LiveStore
from sketchlab.validation import checked_number

__all__ = ["Optimizer"]


@dataclass(slots=True)
class _Progress:
    """How far an optimizer has come; an object of its own, as setting a name there takes longer."""

    step_count: int = 0
    torn: bool = False


class Optimizer:
    """What all optimizers share; make one of the classes of `sketchlab.optim`.

    Parameters
    ----------
    table : ndarray, (n, ...), float32 or float64
        The parameters, C-contiguous and writeable; updated in place and not copied. Seen as n
        rows of d columns, whatever its shape. For ``"cuda"`` an array on the device, and so are
        the gradients and rows of a step: CuPy's, PyTorch's, numba-cuda's.
    lr : float
        Learning rate, not below zero.
    rule : rule
        See `sketchlab.rules`.
    descriptions : dict
        For each of the rule's moments, by name, how it is kept.
    backend : {"cpu", "reference", "cuda"} or backend
        A name, or a `sketchlab.kernels.cuda.CUDA` made with other settings.
    check_finite : bool, optional
        Refuse gradients with an infinity or NaN. By default where a store's rows share cells,
        since there one such number reaches other rows, and for ``"reference"``; for ``"cuda"``
        only when asked for, since the host then waits for the device at every step.

    Attributes
    ----------
    step_count : int
        Steps taken.
    rule : rule
        With the hyper-parameters, which are properties of the optimizer.

    Raises
    ------
    InputError
        If the table cannot be updated in place.
    ConfigurationError
        If a number is out of range, the backend is unknown, or a store cannot hold its moment.
    BackendError
        If the backend cannot run on this machine.

    Notes
    -----
    A step is whole or not at all. Ctrl-C is held back while a step changes things. Whatever else
    ends a step halfway (an alarm, running out of memory) leaves an optimizer that knows it: `step`,
    `save` and `state_dict` raise a `TornStepError` until a state is loaded.

    Copies are whole, too: `copy.deepcopy` and pickle give an optimizer on a table of its own, or on
    the copy of its table where both are copied together, as in ``deepcopy((table, optimizer))``;
    `copy.copy` gives one with a state of its own on the same table.
    """

    def __init__(
        self,
        table: Table,
        lr: float,
        rule: Any,
        descriptions: Mapping[str, Store],
        backend: str | Backend,
        check_finite: bool | None,
    ) -> None:
        self._backend = make_backend(backend)
        self._rule = rule
        self._view = self._backend.view(table)
        self._table = table
        self._number = self.dtype.type
        self._progress = _Progress()
        self._interrupt = HeldInterrupt()
        self.lr = lr
        for moment in rule.moments:
            check_pairing(self.name, moment, descriptions[moment.name])
        self._stores = {
            moment.name: self._backend.allocate(
                descriptions[moment.name], *map(int, self._view.shape), self.dtype
            )
            for moment in rule.moments
        }
        # a gradient that is large beside what a store's arrays are divided by has to be noticed
        self._look = any(store.decay == "global" for store in self._stores.values())
        if check_finite is None:
            check_finite = self._backend.checks_finite(self._stores.values())
        self.check_finite = check_finite

    # -- a step --------------------------------------------------------------------------------

    def step(self, grads: Values, rows: Rows | None = None) -> None:
        """Move the parameters by one step.

        Parameters
        ----------
        grads : array_like
            Gradients: of the active rows, (k, d) or ``(k, *table.shape[1:])``, in a sparse
            step; of the whole table, in its shape, in a dense one.
        rows : array_like of int, (k,), optional
            The active rows of a sparse step; only these move. Gradients of equal rows are summed
            first. A step with no rows still counts, and lets ``global`` variables decay.

        Raises
        ------
        InputError
            If a shape does not match, a row is out of range, or, where `check_finite` is set, a
            gradient is not finite. Nothing has been changed then.
        TornStepError
            If an earlier step was interrupted before it was whole.
        """
        self.take(self.prepare(grads, rows))

    def prepare(self, grads: Values, rows: Rows | None = None) -> Given:
        """Check what a step is given; `take` then takes it, and `step` does both.

        For callers who step several optimizers, all of them or none.

        Returns
        -------
        sketchlab.kernels.interface.Given

        Raises
        ------
        InputError, TornStepError
            As `step`.
        """
        self._refuse_if_torn()
        return self._backend.inputs(
            grads, rows, self._view, tuple(self._table.shape), self._check_finite, self._look
        )

    def take(self, given: Given) -> None:
        """Take the step that `prepare` has checked."""
        progress, stores = self._progress, self._stores.values()
        step = progress.step_count + 1
        scalars = self._rule.scalars(self._lr, step)
        scalars = scalars._make(map(self._number, scalars))
        try:
            self._backend.step(self._rule, scalars, self._view, given, stores, self._begin)
            for store in stores:
                store.end_step(step)
            progress.step_count, progress.torn = step, False
        finally:
            self._interrupt.end()

    def _begin(self):
        """What a backend calls when all is ready, right before the first change of a step."""
        self._interrupt.begin()
        self._progress.torn = True

    def _refuse_if_torn(self):
        if self._progress.torn:
            raise TornStepError(
                f"step {self.step_count + 1} of this {self.name} was interrupted before it was "
                "whole: some of its state, and of the table, may have moved and some not. Restore "
                "the table and load a state that was taken before, with load or load_state_dict"
            )

    # -- what can be set, and read -------------------------------------------------------------

    if not TYPE_CHECKING:  # a type checker that saw it would let any name be set

        def __setattr__(self, name: str, value: Any) -> None:
            kind = getattr(type(self), name, None)
            if not name.startswith("_") and getattr(kind, "fset", None) is None:
                raise AttributeError(
                    f"{name} of {self.name} cannot be set; what can be set, with effect at the "
                    f"next step, is {', '.join(self._settable())}"
                )
            object.__setattr__(self, name, value)

    @classmethod
    def _settable(cls):
        return sorted(name for name in dir(cls) if getattr(getattr(cls, name), "fset", None))

    @property
    def name(self) -> str:
        """The optimizer's name."""
        return type(self).__name__

    @property
    def table(self) -> Any:
        """The parameters; set it to go on with another array of the same shape and dtype."""
        return self._table

    @table.setter
    def table(self, table: Table) -> None:
        view = self._backend.view(table)
        shape, dtype = tuple(map(int, table.shape)), np.dtype(view.dtype)
        mine = tuple(map(int, self._table.shape))
        if (shape, dtype) != (mine, self.dtype):
            raise InputError(
                f"table has shape {shape} and dtype {dtype}: this {self.name} was made for "
                f"{mine} and {self.dtype}, give such an array or make another optimizer"
            )
        self._table, self._view = table, view

    @property
    def lr(self) -> float:
        """Learning rate; set it to follow a schedule."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self._lr = checked_number("lr", lr, 0)

    weight_decay = hyper_parameter(
        "weight_decay",
        "Decoupled weight decay: x ← x − lr·weight_decay·x before a step, on the rows it touches.",
        checked_weight_decay,
    )

    @property
    def check_finite(self) -> bool:
        """Whether gradients with an infinity or NaN are refused."""
        return self._check_finite

    @check_finite.setter
    def check_finite(self, check_finite: bool) -> None:
        self._check_finite = bool(check_finite)

    @property
    def rule(self) -> Any:
        """The update rule with its hyper-parameters, see `sketchlab.rules`."""
        return self._rule

    @property
    def step_count(self) -> int:
        """Steps taken."""
        return self._progress.step_count

    @property
    def dtype(self) -> DType:
        """NumPy's name for the dtype of the table, and of all state."""
        return np.dtype(self._view.dtype)

    @property
    def backend(self) -> str:
        """Name of the backend."""
        return self._backend.name

    @property
    def m(self) -> LiveStore | Any:
        """The live store of the first moment, None where the rule keeps none."""
        return self._stores.get("m")

    @property
    def v(self) -> LiveStore | Any:
        """The live store of the second moment, None where the rule keeps none."""
        return self._stores.get("v")

    @property
    def v_max(self) -> LiveStore | Any:
        """The live store of the largest second moment so far, None where the rule keeps none."""
        return self._stores.get("v_max")

    @property
    def nbytes(self) -> int:
        """Bytes of auxiliary state."""
        return sum(store.nbytes for store in self._stores.values())

    # -- state in and out ----------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything but the parameters, as arrays, numbers and strings in one flat dict.

        Returns
        -------
        dict
            Copies: later steps do not change them. Plain Python numbers and strings, and NumPy
            arrays in host memory.

        Raises
        ------
        TornStepError
            If a step was interrupted before it was whole.
        """
        self._refuse_if_torn()
        return {key: copy(value) for key, value in checkpoint.collect(self, self._stores).items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` gave, the learning rate included.

        Parameters
        ----------
        state : dict
            Arrays may also be PyTorch tensors in host memory or nested lists, and numbers NumPy's
            or arrays of one number, as files and other libraries give them back.

        Raises
        ------
        CheckpointError
            If the state is incomplete or belongs to another optimizer, shape, dtype, store, hash
            or version. The optimizer then keeps the state that it had.
        """
        lr, step_count, parts = checkpoint.checked(self, self._stores, state)
        try:
            self._begin()
            for store, part in zip(self._stores.values(), parts):
                store.restore(part)
            self._lr, self._progress = lr, _Progress(step_count)
        finally:
            self._interrupt.end()

    def save(self, path: FilePath) -> None:
        """Write `state_dict` to a file, whole or not at all.

        Parameters
        ----------
        path : str or Path
            Written to a temporary file beside it, which then takes its place.

        Raises
        ------
        CheckpointError
            If the file cannot be written; an older file of that name is left as it was.
        TornStepError
            If a step was interrupted before it was whole.
        """
        self._refuse_if_torn()
        checkpoint.write(path, checkpoint.collect(self, self._stores))

    def load(self, path: FilePath) -> None:
        """Go on from a file that `save` wrote.

        Raises
        ------
        CheckpointError
            As `load_state_dict`, or if the file is missing, truncated or of another kind.
        """
        self.load_state_dict(checkpoint.read(path))

    # -- copies --------------------------------------------------------------------------------

    def __getstate__(self):
        state = dict(self.__dict__)
        # a view of the table, and what holds no state: made anew beside the copied table
        del state["_view"], state["_interrupt"]
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._interrupt = HeldInterrupt()
        self._view = self._backend.view(self._table)

    def __copy__(self):
        return deepcopy(self, {id(self._table): self._table})

    def __repr__(self):
        # what differs from the defaults of the class, as it was given
        given = {name: store.description for name, store in self._stores.items()}
        for name, parameter in signature(type(self)).parameters.items():
            value = getattr(self._rule, name, None)
            if value is not None and value != parameter.default:
                given[name] = value
        numbers = "".join(f", {name}={value}" for name, value in given.items() if value != Dense())
        torn = ", torn" if self._progress.torn else ""
        return f"<{self.name} on {tuple(self._table.shape)}, lr={self._lr}{numbers}{torn}>"
