"""What backends on the host share: NumPy arrays come in, and stores are made of them."""

import numpy as np

from sketchlab.validation import checked_rows, checked_table, checked_values

__all__ = ["OnHost"]


class OnHost:
    """A backend whose tables, gradients and stores are NumPy arrays."""

    def view(self, table):
        """The table as rows of columns, (n, dim), over the same memory.

        Raises
        ------
        InputError
            If it cannot be updated in place.
        """
        return np.asarray(checked_table(table)).reshape(len(table), -1)

    def allocate(self, description, n, dim, dtype):
        """A live store of zeros."""
        return description.allocate(n, dim, dtype)

    def inputs(self, grads, rows, table, shape, check_finite):
        """Gradients (k, dim) and rows of a step on a table; rows None for all.

        Parameters
        ----------
        grads : array_like
        rows : array_like of int, or None
        table : ndarray, (n, dim)
        shape : tuple
            Of the table as the caller has it.
        check_finite : bool

        Raises
        ------
        InputError
            If a shape does not match, a row is out of range, or, where `check_finite` is set, a
            gradient is not finite.
        """
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
