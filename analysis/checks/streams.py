"""Real runs of sketched RMSprop, watched step by step beside the exact second moment."""

import numpy as np

import sketchlab as sl
from analysis.checks.draws import allocate, any_size, hash_seed
from analysis.problems.bowls import Bowls
from analysis.problems.linear_models import HuberRegression, SparseLogistic
from analysis.problems.softmax_regression import SoftmaxRegression
from analysis.training.theorem import UncorrectedRMSprop, run


def bowls(n, noise, touched):
    """Bowls of unequal weight, i^(−1/2)."""
    return Bowls(np.arange(1, n + 1) ** -0.5, noise, touched)


#: Problems by name, each made of a number of rows, a chance of being touched, and a generator.
PROBLEMS = {
    "bowls": lambda n, touched, generator: bowls(n, 0.5, touched),
    "huber": lambda n, touched, generator: HuberRegression(n, 2 * n, 4, 1.1, generator),
    "logistic": lambda n, touched, generator: SparseLogistic(n, 2 * n, 4, 1.1, generator),
    "softmax": lambda n, touched, generator: SoftmaxRegression(n, 5, 2 * n, generator),
}


class Moments:
    """What one step saw: the estimates before and after it, the truth, and g², all (n, dim)."""

    def __init__(self, before, after, exact, squares):
        self.before, self.after = before, after
        self.exact, self.squares = exact, squares


def watched_run(problem, description, beta, steps, sequence, visit, lr=0.05, eps=0.05, columns=1):
    """Run sketched RMSprop on a problem and show every step to ``visit(store, moments)``.

    The exact moment decays as the store does: every row under ``"global"``, touched rows
    otherwise. All arithmetic is in float64.

    Parameters
    ----------
    problem, description, beta, steps
    sequence : numpy.random.SeedSequence
        Of the data and of the store's hash functions.
    visit : callable
    lr, eps, columns

    Returns
    -------
    ndarray, (steps, columns)
        ‖∇f(x_t)‖².
    """
    data, hashing = sequence.spawn(2)
    table = problem.start(columns)
    reseeded = description.with_seed(hash_seed(hashing))
    with any_size():
        optimizer = UncorrectedRMSprop(table, lr, beta, eps, reseeded)
    everyone = np.arange(problem.size)
    exact = allocate(sl.Dense("global" if description.decay == "global" else "lazy"), *table.shape)
    estimates = [np.zeros_like(table)]

    def watch(rows, gradients):
        """Advance the exact moment as the store was, and show both."""
        squares = np.zeros_like(table)
        np.add.at(squares, rows, gradients)
        squares **= 2
        touched = np.unique(rows)
        exact.advance(touched, squares[touched], beta, 1 - beta)
        after = optimizer.v.query(everyone)
        truth = exact.query(everyone)
        visit(optimizer.v, Moments(estimates[-1], after, truth, squares))
        estimates[:] = [after]

    return run(problem, optimizer, steps, np.random.default_rng(data), watch)
