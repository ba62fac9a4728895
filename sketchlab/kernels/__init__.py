"""Backends: the loops that run rule × store.

A backend is a class, an `interface.Backend`, whose instances serve one optimizer each. It is found
by name and imported when asked for, so that a backend which needs a missing package costs nothing
to those who do not use it. Each has its own loops; rules, hashes and the arithmetic of stores are
scalar functions that compile for every target.
"""

from importlib import import_module

from sketchlab.errors import ConfigurationError
from sketchlab.kernels.interface import Backend

__all__ = ["BACKENDS", "make_backend"]

#: Where each backend lives: module and class.
BACKENDS = {
    "reference": ("sketchlab.kernels.reference", "Reference"),
    "cpu": ("sketchlab.kernels.cpu", "CPU"),
    "cuda": ("sketchlab.kernels.cuda", "CUDA"),
}


def make_backend(name):
    """A backend for one optimizer.

    Parameters
    ----------
    name : str or Backend
        One of `BACKENDS`, or a backend made with other settings than the default ones.

    Raises
    ------
    ConfigurationError
        If there is no such backend.
    """
    if isinstance(name, Backend):
        return name
    if name not in BACKENDS:
        known = ", ".join(repr(known) for known in BACKENDS)
        raise ConfigurationError(f"backend={name!r}: choose one of {known}")
    module, cls = BACKENDS[name]
    return getattr(import_module(module), cls)()
