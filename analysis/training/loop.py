"""The one training loop: every task's gradients, any optimizers, one rate that stays or falls.

A task says how its tables begin, what its gradient is and how it is judged. What they share is
here: the seeds of a run, its optimizers, the steps, and what becomes of a run that diverges.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from analysis.problems.sampled_softmax import Sparse
from analysis.training import optimizers as make


class Step(NamedTuple):
    """A step that was just taken; its number counts from 1.

    Where the loss is not finite it was not taken, and it is the last.
    """

    number: int
    loss: float
    gradients: list

    @property
    def finite(self):
        """Whether training can go on."""
        return bool(np.isfinite(self.loss))


class Begun(NamedTuple):
    """A run before its first step: its parameters, one optimizer for each, and ``gradient()``.

    The first `tables` of them have their state kept as the settings say, the others exactly.
    """

    parameters: tuple
    optimizers: list
    gradient: Callable
    tables: int


def train(optimizers, gradient, steps, rate=None):
    """Take the steps of a run, one at each turn of the caller's loop.

    Parameters
    ----------
    optimizers : sequence of Optimizer
    gradient : callable
        ``gradient()`` at the present parameters: the loss, then for each optimizer a `Sparse`
        gradient or a dense one.
    steps : int
    rate : float, optional
        Falls linearly to zero; the optimizers keep their own without it.

    Yields
    ------
    Step
    """
    for number in range(1, steps + 1):
        loss, *gradients = gradient()
        if np.isfinite(loss):
            for optimizer, part in zip(optimizers, gradients, strict=True):
                if rate is not None:
                    optimizer.lr = rate * (1 - (number - 1) / steps)
                take_step(optimizer, part)
        step = Step(number, loss, gradients)
        yield step
        if not step.finite:
            return


def take_step(optimizer, gradient):
    """Move a table sparsely or densely, as its gradient is."""
    if isinstance(gradient, Sparse):
        optimizer.step(gradient.values, rows=gradient.rows)
    else:
        optimizer.step(gradient.reshape(optimizer.table.shape))


def shuffled(examples, size, generator):
    """Yield batches without end: every epoch all examples in a new order, the last few left out."""
    while True:
        order = generator.permutation(examples)
        for begin in range(0, examples - size + 1, size):
            yield order[begin : begin + size]


def may_diverge():
    """For what a run computes: one that diverges is reported, not warned of."""
    return np.errstate(over="ignore", invalid="ignore")


def sequences(settings, count):
    """Return independent seed sequences of a run: other ones for every seed and replicate."""
    return np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"],)).spawn(count)


def optimizers_of(settings, sequence, tables, exact=()):
    """Return the optimizers of a run, each store with hash functions of its own.

    Parameters
    ----------
    settings : dict
        See `analysis.training.optimizers.optimizer`.
    sequence : numpy.random.SeedSequence
    tables : sequence of ndarray
        Their state is kept as the settings say.
    exact : sequence of ndarray
        Small dense parts, whose state is kept exactly.
    """
    seeds = iter(sequence.generate_state(len(tables) * len(settings["stores"])).tolist())
    kept = [make.optimizer(settings, table, seeds) for table in tables]
    return [*kept, *(make.exact(settings, table) for table in exact)]


class Losses:
    """Mean losses of equal parts of a run, and of what is left over; the last may not be finite.

    Parameters
    ----------
    steps, parts : int
    """

    def __init__(self, steps, parts):
        self.steps, self.part = steps, max(1, steps // parts)
        self.means, self._recent = [], []

    def add(self, step):
        """Take in the next step."""
        self._recent.append(step.loss)
        if not step.finite:
            self.means.append(step.loss)
        elif step.number % self.part == 0 or step.number == self.steps:
            self.means.append(float(np.mean(self._recent)))
            self._recent.clear()

    @property
    def finite(self):
        """Whether the run ended well."""
        return bool(np.isfinite(self.means[-1]))

    def plain(self):
        """The means as JSON."""
        return [plain(mean, 4) for mean in self.means]


def plain(value, digits):
    """A number as JSON: rounded, None where it is not finite."""
    return round(value, digits) if np.isfinite(value) else None
