"""The reference backend: a step in plain NumPy, to be read beside the paper."""

import numpy as np

from sketchlab.kernels.host import OnHost
from sketchlab.rules import added, updates, usable
from sketchlab.stores import coalesce

__all__ = ["Reference"]

_UPDATES = updates(np.sqrt)


class Reference(OnHost):
    """The backend of one optimizer; every store runs its own NumPy semantics."""

    name = "reference"

    def step(self, rule, scalars, table, rows, grads, stores):
        """Take one step; see `Backend.step`."""
        rows, grads = (np.arange(len(table)), grads) if rows is None else coalesce(rows, grads)
        estimates = {"m": None, "v": None}
        for moment, store, (keep, gain) in zip(rule.moments, stores, rule.recursions()):
            answers = store.step(rows, added(moment.squared, grads), keep, gain)
            estimates[moment.name] = usable(moment, answers)
        update = _UPDATES[type(scalars)]
        table[rows] = update(scalars, table[rows], grads, **estimates)
