"""What backends on the host share: NumPy arrays come in, and stores are made of them."""

import math

import numpy as np

from sketchlab.errors import ConfigurationError
from sketchlab.kernels.interface import Backend, Given
from sketchlab.stores.live import LiveStore
from sketchlab.validation import checked_rows, checked_table, checked_values, refuse_not_finite

__all__ = ["OnHost"]


class OnHost(Backend):
    """A backend whose tables, gradients and stores are NumPy arrays."""

    def view(self, table):
        """The table as rows of columns; see `Backend.view`."""
        return np.asarray(checked_table(table)).reshape(len(table), -1)

    def allocate(self, description, n, dim, dtype):
        """A live store of zeros."""
        store = description.allocate(n, dim, dtype)
        for name in ("advance", "estimate"):
            if getattr(type(store), name, None) in (None, getattr(LiveStore, name)):
                raise ConfigurationError(
                    f"{type(store).__name__} does not define {name}(), which backend="
                    f"{self.name!r} calls in a step: derive the store from "
                    "sketchlab.stores.live.LiveStore and define it"
                )
        return store

    def checks_finite(self, stores):
        """Whether rows share what is kept; see `Backend.checks_finite`."""
        return any(store.shared for store in stores)

    def inputs(self, grads, rows, table, shape, check_finite, look):
        """Checked gradients and rows of a step; see `Backend.inputs`."""
        (n, dim), ascending = table.shape, True
        if rows is None:
            shapes = [shape, (n, dim)]
        else:
            rows, ascending = self.inspect_rows(rows, n)
            shapes = [(len(rows), *shape[1:]), (len(rows), dim)]
        grads = checked_values("grads", grads, shapes, table.dtype)
        largest = self.largest(grads) if check_finite or look else 0.0
        if check_finite and not math.isfinite(largest):
            refuse_not_finite("grads", grads)
        if np.may_share_memory(grads, table):
            grads = grads.copy()  # a part of the table would change while it is read
        return Given(grads, rows, largest, ascending)

    def inspect_rows(self, rows, n):
        """Row numbers, checked, and whether they are known to ascend."""
        return checked_rows(rows, n), False

    def largest(self, grads):
        """A bound on the magnitudes in an array: not finite where one of them is not, 0 of none."""
        return float(max(grads.max(initial=0), -grads.min(initial=0)))
