"""How far the median of a count-sketch can be trusted, measured by how far its readings differ.

A row of the variable is read once under each hash function: e_j = m + n_j, with noises n_j of mean
0 that are independent over j. Their products tell m from the noise: over all pairs a < b the mean
of ⟨e_a, e_b⟩ is unbiased for ‖m‖², and the mean of ‖e_a‖² for ‖m‖² + σ², with σ² the mean of
‖n_a‖². The factor for which an answer errs least, in mean square, is ‖m‖²/(‖m‖² + κσ²) (Wiener
1949; James & Stein 1961), where κσ² is the mean square error of the median.
"""

import math
from functools import cache

import numpy as np
from numpy.polynomial.legendre import leggauss

from sketchlab.annotations import Array
from sketchlab.stores.arithmetic import trusted_part

__all__ = ["median_variance", "trust"]

_NODES = 128
_DEVIATIONS = 12.0  # of the median, at least: beyond there is nothing to add up


@cache
def median_variance(count: int) -> float:
    """Variance of the median of `count` independent standard normal numbers.

    Of an even number the mean of the middle two. The median of ``2·h + 1`` numbers has a density
    proportional to (Φ(z)·Φ(−z))ʰ·φ(z); the middle two of ``2·h + 2``, written z − t and z + t, one
    proportional to (Φ(z − t)·Φ(−z − t))ʰ·φ(z − t)·φ(z + t) for t ≥ 0 (David & Nagaraja 2003,
    §2.2). Both are summed up by Gauss–Legendre quadrature.

    Parameters
    ----------
    count : int
        At least 1.

    Examples
    --------
    >>> [round(median_variance(count), 4) for count in (1, 2, 3, 4, 5)]
    [1.0, 0.5, 0.4487, 0.2982, 0.2868]
    >>> math.isclose(median_variance(3), 1 - math.sqrt(3) / math.pi, rel_tol=1e-13)
    True
    """
    reach = _DEVIATIONS * np.sqrt(np.pi / 2 / count)
    nodes, weights = leggauss(_NODES)
    z = reach * nodes
    half = (count - 1) // 2
    if count % 2:
        density = (4 * _normal(z) * _normal(-z)) ** half * np.exp(-z * z / 2)
    else:
        t = reach / 2 * (nodes[:, None] + 1)
        joint = (4 * _normal(z - t) * _normal(-z - t)) ** half * np.exp(-z * z - t * t)
        density = weights @ joint
    return float((weights * density) @ (z * z) / (weights @ density))


@np.vectorize
def _normal(x):
    """The distribution function Φ."""
    return math.erfc(-x / math.sqrt(2)) / 2


def trust(readings: Array) -> Array:
    """The part of their median that is kept, from readings under every hash function.

    Parameters
    ----------
    readings : ndarray, (depth, k, dim)
        Of at least two hash functions.

    Returns
    -------
    ndarray of float64, (k,)
        From 0 to 1.

    Examples
    --------
    >>> trust(np.array([[[3.0, 4.0]], [[3.0, 4.0]]])), trust(np.array([[[3.0]], [[-4.0]]]))
    (array([1.]), array([0.]))
    """
    depth = len(readings)
    with np.errstate(over="ignore", invalid="ignore"):
        readings = readings.astype(np.float64)
        square_of_mean = np.square(readings.mean(axis=0)).sum(axis=-1)
        mean_square = np.square(readings).mean(axis=0).sum(axis=-1)
        return trusted_part(median_variance(depth), depth, square_of_mean, mean_square)
