"""From settings to live optimizers: a family, how each moment is kept, and further options.

Settings are plain values, so descriptions of stores are written as dicts. They carry no hash
seeds: these are drawn anew for every replicate and for every table.
"""

import warnings

import sketchlab as sl
from sketchlab.errors import StoreSizeWarning
from sketchlab.stores import Description


def plain(description):
    """Return a description of a store as plain values, without its hash seed."""
    return _unseeded(description.to_dict()) | form_of_answers(description.decay)


def form_of_answers(decay):
    """Return what settings say of a step's answers, where that is to tell runs apart.

    Under ``bucket`` decay they have seen a row's own update alone. Runs whose settings do not say
    so are of an earlier form, which read the cells again after the additions of all rows.
    """
    return {"answers": "own update"} if decay == "bucket" else {}


def optimizer(settings, table, seeds):
    """Return the optimizer of a table.

    Parameters
    ----------
    settings : dict
        ``family`` ("Adam", ...), ``learning_rate``, ``stores`` (a dict from `plain` for each
        moment; one that is left out is kept exactly) and ``options`` (further arguments).
    table : ndarray
        Updated in place.
    seeds : iterator of int
        Every store takes one.
    """
    family = getattr(sl, settings["family"])
    kept = stores(settings, seeds)
    with warnings.catch_warnings():
        # a store that is no smaller than exact state is there to be compared
        warnings.simplefilter("ignore", StoreSizeWarning)
        return family(table, settings["learning_rate"], **settings["options"], **kept)


def stores(settings, seeds):
    """Return the description of each moment's store, with one of the seeds each."""
    return {
        moment: _description(settings["stores"][moment]).with_seed(next(seeds))
        for moment in sorted(settings["stores"])
    }


def exact(settings, table):
    """Return the optimizer of a small dense part: the same family, its state kept exactly."""
    return optimizer(settings | {"stores": {}}, table, iter(()))


def described(settings):
    """Return the description of every moment that settings name, with the default hash seed."""
    return {moment: _description(plain) for moment, plain in settings["stores"].items()}


def _description(plain):
    fields = {name: value for name, value in plain.items() if name != "answers"}
    return Description.from_dict(fields)


def _unseeded(fields):
    return {
        name: _unseeded(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if name != "seed"
    }
