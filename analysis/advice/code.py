"""Advice as lines of Python, ready to paste."""

from dataclasses import MISSING, fields

from sketchlab.stores import Description

#: Where a search for the learning rate may begin.
RATES = {"Adam": "1e-3", "RMSprop": "1e-3", "Adagrad": "0.1", "Momentum": "0.1"}


def description(store):
    """Return the call that makes a description, without what is the default anyway.

    Examples
    --------
    >>> import sketchlab as sl
    >>> description(sl.HeadTail(tail=sl.CountSketch(compression=20), row_weights=True))
    "sl.HeadTail(tail=sl.CountSketch(compression=20, decay='global'), row_weights=True)"
    """
    given = (
        f"{field.name}={_text(getattr(store, field.name))}"
        for field in fields(store)
        if getattr(store, field.name) != _default(field)
    )
    return f"sl.{type(store).__name__}({', '.join(given)})"


def _default(field):
    return field.default if field.default_factory is MISSING else field.default_factory()


def _text(value):
    if isinstance(value, Description):
        return description(value)
    return f"{value:g}" if isinstance(value, float) else repr(value)


def arguments(stores, options):
    """Return the keyword arguments that choose the stores."""
    kept = {name: description(store) for name, store in stores.items()}
    return ", ".join(
        f"{name}={text}"
        for name, text in (kept | dict(zip(options, map(repr, options.values())))).items()
    )


def numpy_line(family, stores, options, table="table"):
    """Return the line for a NumPy array; ``import sketchlab as sl`` comes before it."""
    return f"sl.{family}({table}, lr={RATES[family]}, {arguments(stores, options)})"


def torch_line(family, groups, rest=False):
    """Return the line for PyTorch; `sl` and ``import sketchlab.torch as slt`` come before it.

    Parameters
    ----------
    family : str
    groups : list of tuple
        For each table the expression of its parameter, its stores and its options.
    rest : bool
        Whether the optimizer also takes the other parameters of ``model``, with exact state.
    """
    if not rest and len(groups) == 1:
        ((parameter, stores, options),) = groups
        return f"slt.{family}([{parameter}], lr={RATES[family]}, {arguments(stores, options)})"
    texts = []
    for parameter, stores, options in groups:
        kept = {name: description(store) for name, store in stores.items()}
        kept |= {name: repr(value) for name, value in options.items()}
        entries = "".join(f', "{name}": {text}' for name, text in kept.items())
        texts.append(f'{{"params": [{parameter}]{entries}}}')
    return f"slt.{family}([{', '.join(texts)}], lr={RATES[family]})"
