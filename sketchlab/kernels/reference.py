"""The reference backend: a step in plain NumPy, to be read beside the paper."""

import numpy as np

from sketchlab.kernels.host import OnHost
from sketchlab.kernels.rule import update
from sketchlab.stores import coalesce

__all__ = ["Reference"]


class Reference(OnHost):
    """The backend of one optimizer; every store runs its own NumPy semantics."""

    name = "reference"

    def checks_finite(self, stores):
        """Always: this backend is for reading and checking, not for speed."""
        return True

    def step(self, rule, scalars, table, given, stores, ready):
        """Take one step; see `Backend.step`."""
        rows, grads = np.arange(len(table)), given.grads
        if given.rows is not None:
            rows, grads = coalesce(given.rows, given.grads)
        ready()
        moments = []
        for moment, store, (keep, gain) in zip(rule.moments, stores, rule.recursions()):
            if moment.largest:
                moments.append(store.raise_to(rows, moments[-1]))
            else:
                moments.append(store.step(rows, grads, keep, gain, moment.squared))
        table[rows] = update(scalars, table[rows], grads, *moments)
