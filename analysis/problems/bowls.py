"""A smooth non-convex sum, f(x) = Σ a_i x_i²/(1 + x_i²), with bounded gradients and noise.

With h(x) = x²/(1+x²): h' = 2x/(1+x²)² is largest at 1/√3, 3√3/8; h'' = (2−6x²)/(1+x²)³ is
largest at 0, 2, and nowhere below −1/2. Hence L = 2 max a, |∂_i f| ≤ a_i·3√3/8, f* = 0 at 0.
"""

import numpy as np

STEEPEST = 3 * np.sqrt(3) / 8


class Bowls:
    """Independent bowls, and a stochastic gradient whose noise is ±s_i.

    Columns of x are independent copies of the problem: which rows a step touches, and the noise,
    are drawn for each column apart.

    Parameters
    ----------
    weights : ndarray, (n,)
        a_i > 0.
    noise : float
        s_i / a_i.
    touched : float
        Chance that a row takes part in a step; its gradient is then divided by that chance.

    Attributes
    ----------
    smoothness, minimum, steepest : float
        L, f* and the largest ‖∇f‖².
    gradient_bounds, deviations : ndarray, (n,)
        G_i of the stochastic gradient and σ_i.
    """

    minimum = 0.0

    def __init__(self, weights, noise=0.0, touched=1.0):
        self.weights = np.asarray(weights, dtype=float)
        self.noise, self.touched = noise, touched
        self.smoothness = 2 * self.weights.max()
        self.steepest = float((self.weights**2).sum() * STEEPEST**2)
        self.gradient_bounds = self.weights * (STEEPEST + noise) / touched
        # E g² − (∂f)² for g = (∂f ± s)/p with chance p: (1/p − 1)(∂f)² + s²/p
        missing = (1 / touched - 1) * STEEPEST**2
        self.deviations = self.weights * np.sqrt(missing + noise**2 / touched)

    @property
    def size(self):
        """Number of rows, n."""
        return len(self.weights)

    def start(self, columns=1):
        """A point of large gradient, the same in every column."""
        return np.ones((self.size, columns))

    def value(self, x):
        """f of every column."""
        return (self.weights[:, None] * x**2 / (1 + x**2)).sum(axis=0)

    def gradient(self, x):
        """∇f, (n, columns)."""
        return self.weights[:, None] * 2 * x / (1 + x**2) ** 2

    def sample(self, x, generator):
        """Rows and their stochastic gradients, (k,) and (k, columns).

        Rows that any column touches; the gradient is 0 in columns that do not touch them, which
        under `global` decay is the same as not being touched.
        """
        touched = generator.random(x.shape) < self.touched
        rows = np.flatnonzero(touched.any(axis=1))
        gradient = self.gradient(x)[rows]
        if self.noise:
            signs = 1.0 - 2.0 * generator.integers(2, size=gradient.shape)
            gradient += self.noise * self.weights[rows, None] * signs
        return rows, np.where(touched[rows], gradient / self.touched, 0.0)
