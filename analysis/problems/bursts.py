"""One row on a Huber loss whose noise comes in bursts, and rows of pure noise that join them.

f(x) = H(x_0), so L = 1, f* = 0. With probability q a step is a burst: row 0's gradient is raised
by `size`, and every other row gets ±size at random; in all other steps row 0's is lowered by
q·size/(1−q). So E g = ∇f always, and the rows of noise do not matter to f.
"""

import numpy as np


class Bursts:
    """The problem above; columns draw their bursts apart.

    Parameters
    ----------
    colliding : int
        Rows that burst together with row 0, K.
    size, probability : float
        Of a burst; their product, which the loss's gradient must balance, is below 1.
    """

    smoothness, minimum = 1.0, 0.0

    def __init__(self, colliding, size, probability):
        self.size = 1 + colliding
        self.burst, self.probability = size, probability
        self.gradient_bounds = np.r_[1.0 + size, np.full(colliding, size)]

    def start(self, columns=1):
        """The minimum."""
        return np.zeros((self.size, columns))

    def gradient(self, x):
        """∇f of row 0, (1, columns); that of the others is 0."""
        return np.clip(x[:1], -1.0, 1.0)

    def sample(self, x, generator):
        """Row 0, and in a burst of any column all others; their gradients."""
        columns, share = x.shape[1], self.probability
        # drawn alike whatever K is, so that runs of unequal K can be compared step by step
        seed, bursting = generator.integers(2**63), generator.random(columns) < share
        lowered = share * self.burst / (1 - share)
        first = self.gradient(x) + np.where(bursting, self.burst, -lowered)
        if not bursting.any():
            return np.zeros(1, int), first
        others = (self.size - 1, columns)
        signs = 1.0 - 2.0 * np.random.default_rng(seed).integers(2, size=others)
        return np.arange(self.size), np.concatenate([first, bursting * self.burst * signs])
