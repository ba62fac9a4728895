"""Rows far from a Huber loss's minimum: f(x) = Σ H(x_i), whose gradient stays ±1 until they arrive.

H(x) is x²/2 up to |x| = 1 and |x| − 1/2 beyond, so L = 1, |∂_i f| ≤ 1 and f* = 0 at 0. It is the
worst case of the convergence bounds: every step has the largest gradient, and all rows have it.
"""

import numpy as np


class HuberRows:
    """Independent Huber losses without noise, started far off.

    Parameters
    ----------
    n : int
        Rows.
    distance : float
        Of the start from the minimum, the same in every row.

    Attributes
    ----------
    smoothness, minimum, steepest : float
        L, f* and the largest ‖∇f‖².
    gradient_bounds, deviations : ndarray, (n,)
        G_i and σ_i.
    """

    smoothness, minimum = 1.0, 0.0

    def __init__(self, n, distance):
        self.size, self.distance = n, distance
        self.steepest = float(n)
        self.gradient_bounds, self.deviations = np.ones(n), np.zeros(n)

    def start(self, columns=1):
        """All rows at the distance."""
        return np.full((self.size, columns), float(self.distance))

    def value(self, x):
        """f of every column."""
        quadratic = np.minimum(np.abs(x), 1.0)
        return (quadratic**2 / 2 + np.abs(x) - quadratic).sum(axis=0)

    def gradient(self, x):
        """∇f, (n, columns)."""
        return np.clip(x, -1.0, 1.0)

    def sample(self, x, generator):
        """All rows and their gradients, (n,) and (n, columns)."""
        return np.arange(self.size), self.gradient(x)
