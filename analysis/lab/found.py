"""What the modules of a package define, found by itself: a new file needs no entry in a list."""

import pkgutil
from importlib import import_module


def found(package, path, attribute, first=()):
    """Import all modules of a package and return what each calls `attribute`, by its name.

    Parameters
    ----------
    package, path
        The package's ``__name__`` and ``__path__``.
    attribute : str
        Modules without it are helpers of the others.
    first : sequence of str
        Names that come first, in this order; the others follow in that of the alphabet.

    Raises
    ------
    ValueError
        If two have the same name, or a name in `first` is of none.
    """
    names = [module.name for module in pkgutil.iter_modules(path) if module.name[0] != "_"]
    modules = [import_module(f"{package}.{name}") for name in names]
    entries = [getattr(module, attribute) for module in modules if hasattr(module, attribute)]
    by_name = {entry.name: entry for entry in entries}
    if len(by_name) < len(entries):
        raise ValueError(f"two {attribute}s of {package} have the same name: {sorted(by_name)}")
    if unknown := set(first) - set(by_name):
        raise ValueError(f"no {attribute} of {package} is named {', '.join(sorted(unknown))}")
    return {name: by_name[name] for name in dict.fromkeys([*first, *sorted(by_name)])}
