"""The algorithm that the convergence theorems are about, run by sketchlab's own optimizer.

RMSprop without bias correction: x_{t+1,i} = x_{t,i} − η g_{t,i}/(√v̂_{t,i} + ε). Replicates with
different noise are columns of one table: they share the hash functions and nothing else.
"""

import numpy as np

from sketchlab.optim import Optimizer
from sketchlab.rules.rmsprop import RMSpropRule, RMSpropScalars


class UncorrectedRule(RMSpropRule):
    """v ← β·v + (1−β)·g²;  x ← x − η·g/(√v + ε), as in theory §2."""

    def scalars(self, lr, step):
        """Numbers of a step: no bias correction."""
        return RMSpropScalars(weight_decay=0.0, lr=lr, root_correction=1.0, eps=self.eps)


class UncorrectedRMSprop(Optimizer):
    """The theorem's algorithm; parameters as `sketchlab.RMSprop`, in the reference backend."""

    def __init__(self, table, lr, beta, eps, v):
        super().__init__(table, lr, UncorrectedRule(beta, eps), {"v": v}, "reference", False)


def run(problem, optimizer, steps, generator, watch=None):
    """Take steps on a problem and return ‖∇f(x_t)‖² before each of them.

    Parameters
    ----------
    problem
        With ``gradient`` and ``sample``.
    optimizer : Optimizer
        On a table of ``problem.size`` rows.
    steps : int
    generator : numpy.random.Generator
    watch : callable, optional
        ``watch(rows, gradients)`` after every step.

    Returns
    -------
    ndarray, (steps, columns)
    """
    norms = []
    for _ in range(steps):
        norms.append((problem.gradient(optimizer.table) ** 2).sum(axis=0))
        rows, gradients = problem.sample(optimizer.table, generator)
        optimizer.step(gradients, rows=rows)
        if watch is not None:
            watch(rows, gradients)
    return np.array(norms)
