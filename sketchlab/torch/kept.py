"""One parameter's optimizer of the library, over the parameter's own memory."""

import torch

from sketchlab import checkpoint
from sketchlab.torch.tensors import (
    backend_of,
    check_parameter,
    gradient_of,
    hold_until_done,
    memory_order,
    view_of,
)

__all__ = ["Kept"]

_HALVES = (torch.bfloat16, torch.float16)


class Kept:
    """What is kept of one parameter: an optimizer of the library, and a master copy of a half.

    A parameter in bfloat16 or float16 is computed in a float32 copy, the master, from which it is
    rounded after every step. Its version counter tells when something else wrote to it; where the
    master does not round to the parameter any more, it then follows.

    Parameters
    ----------
    parameter : Tensor
    kind : type
        The library's optimizer, `sketchlab.Adam` for instance.
    options : Options
    place : int
        The parameter's number.
    state : dict, optional
        What `state` of another one gave.

    Attributes
    ----------
    core : Optimizer
        Of the library; None in a copy, until it follows a parameter.
    master : Tensor or None
    """

    def __init__(self, parameter, kind, options, place, state=None):
        check_parameter(parameter)
        self.kind, self.options, self.place = kind, options, place
        self._memory, self._order = _memory(parameter), memory_order(parameter)
        self.master = parameter.detach().float() if parameter.dtype in _HALVES else None
        self._version = None
        self.core = kind(
            view_of(self._computed(parameter), self._order),
            **options.numbers,
            **options.fixed_for(parameter, place),
            backend=backend_of(parameter),
        )
        if state is not None:
            self._load(state)

    def _computed(self, parameter):
        """The tensor that steps compute in."""
        return parameter.detach() if self.master is None else self.master

    def follow(self, parameter, options):
        """Take over what the group says now, and where the parameter lies now."""
        memory = _memory(parameter)
        if memory == self._memory and options == self.options:
            return
        known = self.options._replace(numbers=options.numbers, maximize=options.maximize)
        if self.core is None or memory[1:] != self._memory[1:] or options != known:
            anew = Kept(parameter, self.kind, options, self.place, self.state())
            self.__dict__ = anew.__dict__
            return
        if memory != self._memory:
            self._version = None
            if self.master is None:
                self.core.table = view_of(parameter.detach(), self._order)
        self._configure(options.numbers)
        self._memory, self.options = memory, options

    def _configure(self, numbers):
        for name, value in numbers.items():
            setattr(self.core, name, value)

    # -- a step --------------------------------------------------------------------------------

    def prepare(self, parameter):
        """The coming step's gradient, and what the library makes of it; nothing is changed yet."""
        dtype = (parameter if self.master is None else self.master).dtype
        gradient = gradient_of(parameter, self._order, dtype, self.options.maximize)
        return gradient, self.core.prepare(gradient.grads, gradient.rows)

    def step(self, parameter, gradient, given):
        """Take the step that was prepared."""
        self._take_over(parameter)
        self.core.take(given)
        hold_until_done(gradient)
        if self.master is None:
            # autograd does not see what is written through another library's view
            torch.autograd.graph.increment_version(parameter)
        else:
            self._round(parameter, gradient)

    def _take_over(self, parameter):
        """Bring into the master what was written to the parameter since the last step."""
        if self.master is None or parameter._version == self._version:
            return
        same = self.master.to(parameter.dtype) == parameter
        self.master.copy_(torch.where(same, self.master, parameter.float()))

    def _round(self, parameter, gradient):
        """Write the rows of a gradient, or all of the master, to the parameter."""
        if gradient.indices is None:
            parameter.copy_(self.master)
        else:
            rows = gradient.indices[0]
            parameter.index_copy_(0, rows, self.master[rows].to(parameter.dtype))
        self._version = parameter._version

    # -- state ---------------------------------------------------------------------------------

    @property
    def moments(self):
        """The live stores by name."""
        return {moment.name: getattr(self.core, moment.name) for moment in self.core.rule.moments}

    def state(self):
        """Everything that changes in a run, as plain tensors, numbers and strings; copies.

        None where nothing has changed yet.
        """
        if self.core is None:
            return self._saved
        if self.core.step_count == 0:
            return None
        state = {key: _to_tensor(value) for key, value in self.core.state_dict().items()}
        if self.master is not None:
            state["master"] = self.master.clone()
        return state

    def _load(self, state):
        arrays = {key: _on_host(value) for key, value in state.items() if key != "master"}
        # what the group says of the rule and the rate goes before what the state says
        arrays["rule"] = checkpoint.collect(self.core, self.moments)["rule"]
        self.core.load_state_dict(arrays)
        self._configure(self.options.numbers)
        if self.master is not None and "master" in state:
            self.master.copy_(state["master"])

    def __getstate__(self):
        """For copies: without the parameter's memory, which is copied with the parameter."""
        own = {"kind": self.kind, "options": self.options, "place": self.place}
        return {**own, "_saved": self.state(), "core": None, "_memory": None}


def _memory(tensor):
    """Where a tensor's numbers lie, and how."""
    return tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, tensor.stride()


def _to_tensor(value):
    return torch.from_numpy(value) if hasattr(value, "dtype") else value


def _on_host(value):
    return value.cpu() if isinstance(value, torch.Tensor) else value
