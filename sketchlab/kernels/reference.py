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
        """One step on some rows of a table, or on all of them.

        Parameters
        ----------
        rule : rule
            See `sketchlab.rules`.
        scalars : NamedTuple
            The rule's numbers for this step, in the dtype of the table.
        table : ndarray, (n, dim)
            Changed in place.
        rows : ndarray of int64, (k,), or None
            None for all rows.
        grads : ndarray, (k, dim)
        stores : sequence of live stores
            One for each of the rule's moments.
        """
        rows, grads = (np.arange(len(table)), grads) if rows is None else coalesce(rows, grads)
        estimates = {"m": None, "v": None}
        for moment, store, (keep, gain) in zip(rule.moments, stores, rule.recursions()):
            store.advance(rows, added(moment.squared, grads), keep, gain)
            estimates[moment.name] = usable(moment, store.estimate(rows))
        update = _UPDATES[type(scalars)]
        table[rows] = update(scalars, table[rows], grads, **estimates)
