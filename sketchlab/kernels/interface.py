"""What a backend is: the arrays it works on, and how it takes a step."""

__all__ = ["Backend"]


class Backend:
    """The loops of one optimizer, on one kind of array."""

    #: By which `sketchlab.kernels.make_backend` finds it.
    name: str

    def view(self, table):
        """The table as rows of columns, (n, dim), over the same memory.

        Raises
        ------
        InputError
            If it cannot be updated in place by this backend.
        """
        raise NotImplementedError

    def allocate(self, description, n, dim, dtype):
        """A live store of zeros where the backend's arrays live."""
        raise NotImplementedError

    def inputs(self, grads, rows, table, shape, check_finite):
        """Gradients (k, dim) and rows of a step on a table, checked; rows None for all.

        Parameters
        ----------
        grads : array_like
        rows : array_like of int, or None
        table : array, (n, dim)
        shape : tuple
            Of the table as the caller has it.
        check_finite : bool

        Raises
        ------
        InputError
            If a shape does not match, a row is out of range, or, where `check_finite` is set, a
            gradient is not finite.
        """
        raise NotImplementedError

    def step(self, rule, scalars, table, rows, grads, stores):
        """Take one step on some rows of a table, or on all of them.

        Parameters
        ----------
        rule : rule
            See `sketchlab.rules`.
        scalars : NamedTuple
            The rule's numbers for this step, in the dtype of the table.
        table : array, (n, dim)
            Changed in place.
        rows : array of integers, (k,), or None
            None for all rows.
        grads : array, (k, dim)
        stores : sequence of live stores
            One for each of the rule's moments.
        """
        raise NotImplementedError
