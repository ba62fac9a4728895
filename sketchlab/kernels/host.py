"""What backends on the host share: NumPy arrays come in, and stores are made of them."""

import numpy as np

from sketchlab.kernels.interface import Backend
from sketchlab.validation import checked_rows, checked_table, checked_values

__all__ = ["OnHost"]


class OnHost(Backend):
    """A backend whose tables, gradients and stores are NumPy arrays."""

    def view(self, table):
        """The table as rows of columns; see `Backend.view`."""
        return np.asarray(checked_table(table)).reshape(len(table), -1)

    def allocate(self, description, n, dim, dtype):
        """A live store of zeros."""
        return description.allocate(n, dim, dtype)

    def inputs(self, grads, rows, table, shape, check_finite):
        """Checked gradients and rows of a step; see `Backend.inputs`."""
        n, dim = table.shape
        if rows is None:
            shapes = [shape, (n, dim)]
        else:
            rows = checked_rows(rows, n)
            shapes = [(len(rows), *shape[1:]), (len(rows), dim)]
        grads = checked_values("grads", grads, shapes, table.dtype, check_finite=check_finite)
        if np.may_share_memory(grads, table):
            grads = grads.copy()  # a part of the table would change while it is read
        return grads, rows
