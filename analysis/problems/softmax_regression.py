"""Softmax regression with classes drawn from a planted model, so that its minimum is known."""

import numpy as np
from scipy.special import entr, softmax


class SoftmaxRegression:
    """Mean cross-entropy of classes drawn from softmax(a·X°), with dense normal features.

    f* is the mean entropy of softmax(A X°), at X°. The Hessian of a sample is at most ½·aaᵀ in
    every direction, so L = λ_max(AᵀA)/(2N); |p − y| ≤ 1 gives G_i = max_k |a_ki|, and
    σ_i² ≤ mean_k a_ki²/b.

    Parameters
    ----------
    n, classes, samples : int
        x is (n, classes).
    generator : numpy.random.Generator
    batch : int
    """

    def __init__(self, n, classes, samples, generator, batch=8):
        self.size, self.classes, self.batch = n, classes, batch
        self.features = generator.standard_normal((samples, n)) / np.sqrt(n)
        self.planted = generator.standard_normal((n, classes))
        self.ideal = softmax(self.features @ self.planted, axis=1)
        self.smoothness = np.linalg.norm(self.features, 2) ** 2 / samples / 2
        self.gradient_bounds = np.abs(self.features).max(axis=0)
        self.deviations = np.sqrt((self.features**2).mean(axis=0) / batch)
        self.minimum = float(entr(self.ideal).sum(axis=1).mean())

    def start(self, columns=None):
        """The origin."""
        return np.zeros((self.size, self.classes))

    def value(self, x):
        """f, as (1,)."""
        scores = self.features @ x
        normaliser = np.log(np.exp(scores).sum(axis=1))
        return np.array([(normaliser - (self.ideal * scores).sum(axis=1)).mean()])

    def gradient(self, x):
        """∇f, (n, classes)."""
        slopes = softmax(self.features @ x, axis=1) - self.ideal
        return self.features.T @ slopes / len(self.features)

    def sample(self, x, generator):
        """All rows and their stochastic gradient, targets drawn anew."""
        chosen = generator.integers(len(self.features), size=self.batch)
        slopes = softmax(self.features[chosen] @ x, axis=1)
        cumulated = self.ideal[chosen].cumsum(axis=1)
        drawn = (generator.random((self.batch, 1)) > cumulated).sum(axis=1)
        slopes[np.arange(self.batch), np.minimum(drawn, self.classes - 1)] -= 1
        return np.arange(self.size), self.features[chosen].T @ slopes / self.batch
