"""Active rows: duplicates summed, in ascending order."""

import numpy as np

from sketchlab.annotations import Array

__all__ = ["coalesce"]


def coalesce(rows: Array, values: Array) -> tuple[Array, Array]:
    """Sum the values of equal rows.

    Parameters
    ----------
    rows : ndarray of int64, (k,)
    values : ndarray, (k, dim)

    Returns
    -------
    rows : ndarray of int64, (m,)
        Distinct, ascending: so that nothing later depends on the order the caller chose.
    values : ndarray, (m, dim)

    Examples
    --------
    >>> coalesce(np.array([5, 2, 5]), np.array([[1.0], [2.0], [3.0]]))
    (array([2, 5]), array([[2.],
           [4.]]))
    """
    distinct, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    if len(distinct) == len(rows):
        return distinct, values[first]
    summed = np.zeros((len(distinct), values.shape[1]), values.dtype)
    np.add.at(summed, inverse, values)
    return distinct, summed
