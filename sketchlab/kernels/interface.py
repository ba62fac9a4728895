"""What a backend is: the arrays it works on, and how it takes a step."""

from typing import Any, NamedTuple

__all__ = ["Backend", "Given"]


class Given(NamedTuple):
    """What a step is given, checked.

    Attributes
    ----------
    grads : array, (k, dim)
    rows : array of integers, (k,), or None
        None for all rows.
    largest : float
        A bound on the magnitudes of the gradients, not finite where one of them is not; 0 where
        nobody has looked.
    ascending : bool
        Whether every row is known to be larger than the one before it.
    """

    grads: Any
    rows: Any
    largest: float
    ascending: bool = False


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

    def checks_finite(self, stores):
        """Whether gradients are looked at for infinities and NaN where a caller says nothing.

        Parameters
        ----------
        stores : iterable of live stores
        """
        raise NotImplementedError

    def inputs(self, grads, rows, table, shape, check_finite, look):
        """Gradients and rows of a step on a table, checked.

        Parameters
        ----------
        grads : array_like
        rows : array_like of int, or None
        table : array, (n, dim)
        shape : tuple
            Of the table as the caller has it.
        check_finite : bool
        look : bool
            Whether the largest magnitude of a gradient is wanted also where nothing is checked.

        Returns
        -------
        Given

        Raises
        ------
        InputError
            If a shape does not match, a row is out of range, or, where `check_finite` is set, a
            gradient is not finite.
        """
        raise NotImplementedError

    def step(self, rule, scalars, table, given, stores, ready):
        """Take one step on some rows of a table, or on all of them.

        Parameters
        ----------
        rule : rule
            See `sketchlab.rules`.
        scalars : NamedTuple
            The rule's numbers for this step, in the dtype of the table.
        table : array, (n, dim)
            Changed in place.
        given : Given
        stores : sequence of live stores
            One for each of the rule's moments.
        ready : callable
            Called once, when memory is there and kernels are compiled, right before the first
            change: what fails earlier leaves the optimizer as it was.
        """
        raise NotImplementedError
