"""A module in the place of PyTorch, which is large: the pages need docstrings only."""

import sys
import types


class _Pretended(types.ModuleType):
    """A module of which every name is an empty class."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        setattr(self, name, type(name, (), {}))
        return getattr(self, name)


def _as_it_is(function):
    return function


def pretend():
    """Let ``import torch`` give such a module, whatever is installed."""
    for name in ("torch", "torch.optim", "torch.optim.optimizer"):
        sys.modules[name] = _Pretended(name)
    torch = sys.modules["torch"]
    torch.optim = sys.modules["torch.optim"]
    torch._disable_dynamo, torch.no_grad = _as_it_is, lambda: _as_it_is
