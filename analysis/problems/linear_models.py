"""Sparse linear models with Zipf features, planted so that their minimum is known exactly.

Sample k has m features out of n, drawn with Zipf frequencies. Targets are drawn around the
planted x° at every visit, so f is an expectation over samples and targets:

* least squares, y = a·x° ± s: f(x) = mean ½((a·(x−x°))² + s²), f* = s²/2;
* Huber, the same targets and ρ_δ with s ≤ δ: symmetric and convex, so x° is a minimum, f* = s²/2;
* logistic, P(y=1) = p° = 1/(1+exp(−a·x°)): f is the mean cross-entropy, f* that of p° itself.

Every loss depends on x through a·x, with slope r(a·x) and curvature at most c: the stochastic
gradient is r·a, L = c·λ_max(AᵀA)/N, and |r| ≤ R gives G_i = R max_k |a_ki| and
σ_i² ≤ R² mean_k a_ki².
"""

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit


class LinearModel:
    """What the three models share.

    Parameters
    ----------
    n, samples, features : int
        Parameters, samples N, and features a sample m.
    exponent : float
        Feature i is drawn with frequency ∝ (i+1)^(−exponent).
    generator : numpy.random.Generator
    batch : int
        Samples a step, with replacement.
    radius : float
        Bounds on gradients hold for ‖x‖_∞ ≤ radius (only least squares needs it).
    magnitude : float
        Of the entries of x°.

    Attributes
    ----------
    planted : ndarray, (n,)
        x°, a minimum; entries of ±`magnitude`.
    smoothness, minimum : float
    gradient_bounds, deviations : ndarray, (n,)
    """

    curvature = 1.0

    def __init__(
        self, n, samples, features, exponent, generator, batch=8, radius=2.0, magnitude=0.5
    ):
        self.size, self.batch, self.radius, self.magnitude = n, batch, radius, magnitude
        frequencies = np.arange(1, n + 1, dtype=float) ** -exponent
        frequencies /= frequencies.sum()
        self.rows = np.stack(
            [
                generator.choice(n, size=features, replace=False, p=frequencies)
                for _ in range(samples)
            ]
        )
        self.values = generator.choice([-1.0, 1.0], size=self.rows.shape) / np.sqrt(features)
        starts = np.arange(0, self.rows.size + 1, features)
        shape = (samples, n)
        entries = (self.values.ravel(), self.rows.ravel(), starts)
        self.matrix = csr_matrix(entries, shape, copy=True)  # it sorts what it holds
        self.planted = generator.choice([-magnitude, magnitude], size=n)
        self.ideal = self.matrix @ self.planted
        steepest = self.steepest()
        self.smoothness = self.curvature * _largest_eigenvalue(self.matrix)
        magnitude = abs(self.matrix)
        self.gradient_bounds = steepest * magnitude.max(axis=0).toarray().ravel()
        squares = magnitude.power(2).mean(axis=0)
        self.deviations = steepest * np.sqrt(np.asarray(squares).ravel() / batch)
        self.minimum = float(self.losses(self.ideal, np.arange(samples)).mean())

    def losses(self, scores, chosen):
        """Expected loss of the chosen samples, given their scores a·x."""
        raise NotImplementedError

    def slopes(self, scores, chosen):
        """Expected slope r of the chosen samples."""
        raise NotImplementedError

    def drawn_slopes(self, scores, chosen, generator):
        """Slope r for a target drawn at this visit."""
        raise NotImplementedError

    def steepest(self):
        """R, the largest |r|."""
        raise NotImplementedError

    def start(self, columns=1):
        """The origin."""
        return np.zeros((self.size, columns))

    def value(self, x):
        """f of a point (n, 1), as (1,)."""
        scores = self.matrix @ x[:, 0]
        return np.array([self.losses(scores, np.arange(len(scores))).mean()])

    def gradient(self, x):
        """∇f, (n, 1)."""
        scores = self.matrix @ x[:, 0]
        slopes = self.slopes(scores, np.arange(len(scores)))
        return (self.matrix.T @ slopes)[:, None] / len(scores)

    def draw(self, generator):
        """Numbers of the samples of one step."""
        return generator.integers(len(self.rows), size=self.batch)

    def batch_excess(self, x, chosen):
        """Expected loss of the chosen samples above that of the planted point."""
        scores = (self.values[chosen] * x[self.rows[chosen], 0]).sum(axis=1)
        return float(np.mean(self.losses(scores, chosen) - self.losses(self.ideal[chosen], chosen)))

    def batch_gradient(self, x, chosen, generator):
        """Rows (with repeats) and stochastic gradients of the chosen samples."""
        scores = (self.values[chosen] * x[self.rows[chosen], 0]).sum(axis=1)
        slopes = self.drawn_slopes(scores, chosen, generator)
        gradients = slopes[:, None] * self.values[chosen] / self.batch
        return self.rows[chosen].ravel(), gradients.reshape(-1, 1)

    def sample(self, x, generator):
        """Rows and stochastic gradients of a fresh batch."""
        return self.batch_gradient(x, self.draw(generator), generator)


class SparseLeastSquares(LinearModel):
    """½(a·x − y)², y = a·x° ± `noise`."""

    noise = 0.5

    def losses(self, scores, chosen):
        """½((a·(x−x°))² + s²)."""
        return ((scores - self.ideal[chosen]) ** 2 + self.noise**2) / 2

    def slopes(self, scores, chosen):
        """a·(x − x°)."""
        return scores - self.ideal[chosen]

    def drawn_slopes(self, scores, chosen, generator):
        """a·x − y."""
        return self.slopes(scores, chosen) + self.noise * _signs(generator, len(chosen))

    def steepest(self):
        """‖a‖₁(radius + magnitude) + s: unbounded without the radius."""
        reach = np.abs(self.values).sum(axis=1).max()
        return reach * (self.radius + self.magnitude) + self.noise


class HuberRegression(LinearModel):
    """ρ_δ(a·x − y), y = a·x° ± `noise`; ρ_δ is quadratic up to δ = `delta`, then linear."""

    noise, delta = 0.5, 1.0

    def losses(self, scores, chosen):
        """Mean of ρ over both targets."""
        off = scores - self.ideal[chosen]
        return (self._huber(off + self.noise) + self._huber(off - self.noise)) / 2

    def slopes(self, scores, chosen):
        """Mean of ρ' over both targets."""
        off = scores - self.ideal[chosen]
        return (self._clip(off + self.noise) + self._clip(off - self.noise)) / 2

    def drawn_slopes(self, scores, chosen, generator):
        """ρ' for one target."""
        off = scores - self.ideal[chosen] + self.noise * _signs(generator, len(chosen))
        return self._clip(off)

    def steepest(self):
        """δ."""
        return self.delta

    def _clip(self, off):
        return np.clip(off, -self.delta, self.delta)

    def _huber(self, off):
        quadratic = np.minimum(np.abs(off), self.delta)
        return quadratic**2 / 2 + self.delta * (np.abs(off) - quadratic)


class SparseLogistic(LinearModel):
    """Cross-entropy of a sign drawn with probability p° = 1/(1 + exp(−a·x°))."""

    curvature = 0.25

    def losses(self, scores, chosen):
        """log(1 + exp(a·x)) − p°·a·x."""
        return np.logaddexp(0, scores) - expit(self.ideal[chosen]) * scores

    def slopes(self, scores, chosen):
        """p − p°."""
        return expit(scores) - expit(self.ideal[chosen])

    def drawn_slopes(self, scores, chosen, generator):
        """p − y."""
        return expit(scores) - (generator.random(len(chosen)) < expit(self.ideal[chosen]))

    def steepest(self):
        """1."""
        return 1.0


def _signs(generator, count):
    return 1.0 - 2.0 * generator.integers(2, size=count)


def _largest_eigenvalue(matrix):
    """λ_max(AᵀA)/N of a sparse matrix, from above: the largest row sum bounds it."""
    gram = abs(matrix.T @ matrix)
    return float(gram.sum(axis=1).max()) / matrix.shape[0]
