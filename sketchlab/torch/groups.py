"""Parameter groups: their parameters in order, their options as the library takes them."""

from typing import NamedTuple

import torch

from sketchlab.errors import ConfigurationError
from sketchlab.stores import Description
from sketchlab.torch.stores import store_for
from sketchlab.validation import checked_count

__all__ = ["Options", "about", "in_order"]

#: Arguments that the library's optimizers take when they are made, and only then.
_FIXED = ("m", "v", "clip", "check_finite")
#: PyTorch's ways of running a step, none of which applies here.
_FLAGS = ("foreach", "fused", "capturable", "differentiable")


class Options(NamedTuple):
    """The options of a group.

    Attributes
    ----------
    numbers : dict
        Arguments of the library's optimizer that are its properties, too.
    fixed : dict
        Those that it takes only when it is made.
    min_numel : int
    maximize : bool
    """

    numbers: dict
    fixed: dict
    min_numel: int
    maximize: bool

    @classmethod
    def of(cls, group, arguments):
        """The options of a group for an optimizer of the library with those arguments."""
        for flag in _FLAGS:
            if group.get(flag):
                raise ConfigurationError(
                    f"{flag}={group[flag]!r}: a step runs the library's own kernels, leave it out"
                )
        numbers = {name: _number(group[name]) for name in arguments if name not in _FIXED}
        fixed = {name: group[name] for name in arguments if name in _FIXED}
        return cls(numbers, fixed, group["min_numel"], bool(group["maximize"]))

    def fixed_for(self, parameter, place):
        """The fixed arguments for the parameter with the number `place`."""
        small = parameter.numel() < checked_count("min_numel", self.min_numel, 0)
        stores = {
            name: store_for(store, small, place)
            for name, store in self.fixed.items()
            if isinstance(store, Description)
        }
        return {**self.fixed, **stores}


def _number(option):
    """An option whose numbers may be tensors, as learning rates can be."""
    if isinstance(option, torch.Tensor):
        return option.item() if option.numel() == 1 else option
    if isinstance(option, (tuple, list)):
        return tuple(_number(entry) for entry in option)
    return option


def in_order(groups, arguments):
    """Number, parameter and options of every parameter, counted through all groups."""
    place = 0
    for group in groups:
        options = Options.of(group, arguments)
        for parameter in group["params"]:
            yield place, parameter, options
            place += 1


def about(error, groups, place):
    """The same error with the parameter's name in its message."""
    within = place
    for number, group in enumerate(groups):
        if within < len(group["params"]):
            parameter = f"parameter {within} of group {number}"
            names = group.get("param_names")
            parameter = f"{names[within]} ({parameter})" if names else parameter
            return type(error)(f"{parameter}: {error}")
        within -= len(group["params"])
    return error
