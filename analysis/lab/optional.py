"""Modules that need a package which the laboratory does not."""

from importlib import import_module

from analysis.lab.errors import UsageError


def with_extra(module, package, title, extra):
    """Import a module that needs a package.

    Parameters
    ----------
    module, package : str
    title, extra : str
        How the package is called, and the extra of sketchlab that brings it.

    Raises
    ------
    UsageError
        If the package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise UsageError(
            f"{title} is not installed: run `pip install 'sketchlab[{extra}]'`"
        ) from None


def with_torch(module):
    """Import a module that needs PyTorch, see `with_extra`."""
    return with_extra(module, "torch", "PyTorch", "paper")
