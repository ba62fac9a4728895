"""The optimizers as PyTorch's: one of the library's for each parameter, stores by group."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from inspect import signature
from typing import Any, TypeAlias

import torch

from sketchlab import optim as library
from sketchlab.annotations import Clip
from sketchlab.errors import SketchlabError, TornStepError
from sketchlab.interrupts import HeldInterrupt
from sketchlab.stores import Store
from sketchlab.torch.groups import about, in_order
from sketchlab.torch.kept import Kept
from sketchlab.torch.report import StateBytes, describe, measure
from sketchlab.torch.state import pack, unpack
from sketchlab.torch.tensors import check_parameter

#: What PyTorch's optimizers take: tensors, pairs of name and tensor, or groups.
Parameters: TypeAlias = Iterable[Any]

__all__ = ["SGD", "AMSGrad", "Adagrad", "Adam", "Momentum", "Optimizer", "RMSprop"]


class Optimizer(torch.optim.Optimizer):
    """What all of them share; make one of the classes below.

    Every option can be given for all groups or for one, and is read from ``param_groups`` at every
    step. Numbers may change in a run; `m`, `v` and `clip` before the first step.

    Parameters
    ----------
    params : iterable
        Of tensors, of (name, tensor), or of dicts, as PyTorch's optimizers take them: float32,
        float64, bfloat16 or float16, on the CPU or a CUDA device. A tensor is seen as rows along
        its first dimension, with all others as columns; one of one dimension has one column.
    options : dict
        The options of one kind of optimizer, named as the library's arguments.
    weight_decay : float
        Decoupled, as AdamW's; of the rows that a step touches.
    maximize : bool
        Go up instead of down.
    min_numel : int
        A parameter of fewer numbers is kept exactly, whatever the stores of its group.
    check_finite : bool, optional
        Refuse a gradient with an infinity or NaN; by default as the library does.

    Raises
    ------
    InputError
        If a parameter cannot be updated in place.
    ConfigurationError
        If an option is out of range, or a store cannot hold its moment.
    """

    #: The library's optimizer, and the names of its arguments that are group options.
    kind: type
    arguments: tuple
    # whether a step was interrupted, perhaps between two parameters
    _torn = False

    def __init_subclass__(cls, **settings):
        super().__init_subclass__(**settings)
        named = signature(cls.kind).parameters
        cls.arguments = tuple(name for name in named if name not in ("table", "backend"))

    def __init__(
        self,
        params: Parameters,
        options: dict[str, Any],
        *,
        weight_decay: float = 0.0,
        maximize: bool = False,
        min_numel: int = 4096,
        check_finite: bool | None = None,
    ) -> None:
        rest = {"weight_decay": weight_decay, "maximize": maximize, "min_numel": min_numel}
        super().__init__(params, {**options, **rest, "check_finite": check_finite})

    @torch._disable_dynamo
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, as PyTorch's optimizers do; its parameters are numbered after all others."""
        super().add_param_group(param_group)
        try:
            self.state.update(self._keep(self.param_groups, states={}, known=self.state))
        except BaseException:
            self.param_groups.pop()
            raise

    def _keep(self, groups, states, known=()):
        """What is kept of the parameters of `groups` but for known ones, from states by number."""
        kept, place = {}, 0
        try:
            for place, parameter, options in in_order(groups, self.arguments):
                check_parameter(parameter)
                if parameter.numel() and parameter not in known and parameter not in kept:
                    made = Kept(parameter, self.kind, options, place, states.get(place))
                    kept[parameter] = {"kept": made}
        except SketchlabError as error:
            raise about(error, groups, place) from error
        return kept

    # -- a step --------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step: sparse gradients step sparsely, dense ones densely.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and its gradients anew.

        Returns
        -------
        The closure's loss.

        Raises
        ------
        InputError
            If a gradient cannot be used. No parameter has been changed then.
        """
        # the decorator that opts out of compilation takes time, at every call
        compiling = torch.compiler.is_compiling()
        return self._uncompiled_step(closure) if compiling else self._step(closure)

    @torch.no_grad()
    def _step(self, closure):
        self._check_whole()
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._take(self._prepare())
        return loss

    _uncompiled_step = torch._disable_dynamo(_step)

    def _prepare(self):
        """Of every parameter with a gradient: what is kept, and the arguments of its step."""
        steps, place = [], 0
        try:
            for place, parameter, options in in_order(self.param_groups, self.arguments):
                if parameter.grad is None or not parameter.numel():
                    continue
                entry = self.state[parameter]
                if "kept" not in entry:  # a caller has cleared the state
                    entry["kept"] = Kept(parameter, self.kind, options, place)
                kept = entry["kept"]
                kept.follow(parameter, options)
                steps.append((kept, parameter, *kept.prepare(parameter)))
        except SketchlabError as error:
            raise about(error, self.param_groups, place) from error
        return steps

    def _take(self, steps):
        """Take the steps of all parameters; Ctrl-C comes before or after them."""
        interrupt = HeldInterrupt()
        interrupt.begin()
        self._torn = True
        try:
            for kept, *arguments in steps:
                kept.step(*arguments)
            self._torn = False
        finally:
            interrupt.end()

    def _check_whole(self):
        if self._torn:
            raise TornStepError(
                "a step was interrupted before it was whole: some parameters have moved and others "
                "have not. Load states of the model and of the optimizer that were taken before"
            )

    # -- state ---------------------------------------------------------------------------------

    @torch._disable_dynamo
    def state_dict(self) -> dict[str, Any]:
        """The state in PyTorch's form, of plain tensors, numbers and strings; copies.

        A parameter that has taken no step has no entry.

        Returns
        -------
        dict
            ``"state"`` by the parameters' numbers, and ``"param_groups"``.
        """
        self._check_whole()
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        return _hooked(self._optimizer_state_dict_post_hooks, self, pack(self))

    @torch._disable_dynamo
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave, the numbers in its groups included.

        A parameter without an entry starts anew.

        Raises
        ------
        CheckpointError
            If it belongs to other groups, shapes, stores or seeds. Nothing has been changed then.
        """
        state_dict = _hooked(self._optimizer_load_state_dict_pre_hooks, self, state_dict)
        groups, states = unpack(self, state_dict)
        self.state = defaultdict(dict, self._keep(groups, states))
        self.param_groups, self._torn = groups, False
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self):
        self._check_whole()
        return super().__getstate__()

    # -- reporting -----------------------------------------------------------------------------

    def kept(self) -> Iterator[tuple[str, torch.Tensor, Kept]]:
        """Name, parameter and what is kept of it (`sketchlab.torch.kept.Kept`), in order."""
        names = [name for group in self.param_groups for name in group.get("param_names", ())]
        for place, parameter, options in in_order(self.param_groups, self.arguments):
            if "kept" in self.state[parameter]:
                kept = self.state[parameter]["kept"]
                kept.follow(parameter, options)
                yield names[place] if names else str(place), parameter, kept

    def stores(self, parameter: torch.Tensor) -> dict[str, Any]:
        """The live stores of a parameter by moment, ``"m"`` and ``"v"`` for instance."""
        return {id(found): kept.moments for _, found, kept in self.kept()}[id(parameter)]

    def state_bytes(self) -> StateBytes:
        """What the state takes, in all and by parameter, beside what exact state would take.

        Returns
        -------
        StateBytes
            ``kept``, ``exact``, and ``parameters``: the same for each, with its name and shape.
        """
        return measure(self)

    def __repr__(self):
        return f"{super().__repr__()[:-1]}{describe(self)})"


def _hooked(hooks, optimizer, state_dict):
    """A state as hooks leave it, each of which may give another one."""
    for hook in hooks.values():
        changed = hook(optimizer, state_dict)
        state_dict = state_dict if changed is None else changed
    return state_dict


class SGD(Optimizer):
    """Stochastic gradient descent, see `sketchlab.SGD`.

    Parameters
    ----------
    params, common
        See `sketchlab.torch.Optimizer`.
    lr : float
        See `sketchlab.SGD`.

    Examples
    --------
    >>> import torch, sketchlab.torch as slt
    >>> parameter = torch.nn.Parameter(torch.zeros(2, 3))
    >>> opt = slt.SGD([parameter], lr=0.5)
    >>> parameter.sum().backward()
    >>> opt.step()
    >>> parameter.tolist()
    [[-0.5, -0.5, -0.5], [-0.5, -0.5, -0.5]]
    """

    kind = library.SGD

    def __init__(self, params: Parameters, lr: float, **common: Any) -> None:
        super().__init__(params, {"lr": lr}, **common)


class Momentum(Optimizer):
    """Heavy-ball momentum, or Nesterov's, see `sketchlab.Momentum`.

    Parameters
    ----------
    params, common
        See `sketchlab.torch.Optimizer`.
    lr, momentum, nesterov, m
        See `sketchlab.Momentum`.
    """

    kind = library.Momentum

    def __init__(
        self,
        params: Parameters,
        lr: float,
        momentum: float = 0.9,
        nesterov: bool = False,
        *,
        m: Store | None = None,
        **common: Any,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "m": m}
        super().__init__(params, options, **common)


class Adagrad(Optimizer):
    """Adagrad, see `sketchlab.Adagrad`.

    Parameters
    ----------
    params, common
        See `sketchlab.torch.Optimizer`.
    lr, eps, v
        See `sketchlab.Adagrad`.
    """

    kind = library.Adagrad

    def __init__(
        self,
        params: Parameters,
        lr: float,
        eps: float = 1e-10,
        *,
        v: Store | None = None,
        **common: Any,
    ) -> None:
        super().__init__(params, {"lr": lr, "eps": eps, "v": v}, **common)


class RMSprop(Optimizer):
    """Adam without a first moment, bias-corrected, see `sketchlab.RMSprop`.

    ``torch.optim.RMSprop`` does not correct the bias: its lr is lr/√(1 − betaᵗ) here, and its eps
    likewise.

    Parameters
    ----------
    params, common
        See `sketchlab.torch.Optimizer`.
    lr, beta, eps, v, clip
        See `sketchlab.RMSprop`.
    """

    kind = library.RMSprop

    def __init__(
        self,
        params: Parameters,
        lr: float,
        beta: float = 0.999,
        eps: float = 1e-8,
        *,
        v: Store | None = None,
        clip: Clip = None,
        **common: Any,
    ) -> None:
        options = {"lr": lr, "beta": beta, "eps": eps, "v": v, "clip": clip}
        super().__init__(params, options, **common)


class Adam(Optimizer):
    """Adam, and AdamW with `weight_decay`; see `sketchlab.Adam`.

    Parameters
    ----------
    params, common
        See `sketchlab.torch.Optimizer`.
    lr, betas, eps, m, v, clip
        See `sketchlab.Adam`.

    Examples
    --------
    >>> import torch, sketchlab as sl, sketchlab.torch as slt
    >>> table = torch.nn.Embedding(10_000, 4, sparse=True)
    >>> opt = slt.Adam(table.parameters(), m=sl.CountSketch(), v=sl.CountMinSketch())
    >>> before = table.weight[7].tolist()
    >>> table(torch.tensor([7, 7])).sum().backward()
    >>> opt.step()
    >>> [round(old - new, 4) for old, new in zip(before, table.weight[7].tolist())]
    [0.001, 0.001, 0.001, 0.001]
    """

    kind = library.Adam

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        m: Store | None = None,
        v: Store | None = None,
        clip: Clip = None,
        **common: Any,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "m": m, "v": v, "clip": clip}
        super().__init__(params, options, **common)


class AMSGrad(Optimizer):
    """AMSGrad, and AdamW's ``amsgrad=True`` with `weight_decay`; see `sketchlab.AMSGrad`.

    Parameters
    ----------
    params, common
        See `sketchlab.torch.Optimizer`.
    lr, betas, eps, m, v
        See `sketchlab.AMSGrad`.
    """

    kind = library.AMSGrad

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        m: Store | None = None,
        v: Store | None = None,
        **common: Any,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "m": m, "v": v}, **common)
