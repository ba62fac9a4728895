"""The gradients of the first steps of a task's training, with the state that its settings say.

Stores are driven along them, as they come (`analysis.experiments.replay_predicts`) or from a file
(``python -m analysis record``).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analysis.advice.stream import Gradient
from analysis.problems.sampled_softmax import Sparse
from analysis.training import recurrent, tasks, wikitext
from analysis.training.loop import train

#: Tasks of the laboratory's own models, in NumPy.
NUMPY = {name: task.module for name, task in tasks.TASKS.items() if hasattr(task.module, "begin")}
NUMPY |= {"lstm": recurrent}
#: And in PyTorch.
TORCH = {"wikitext-lstm": wikitext}
TASKS = (*NUMPY, *TORCH)
#: What is early.
SHARE = 0.05


class Early(NamedTuple):
    """The shape of every table, and an iterator over the steps: a `Gradient` for each table."""

    shapes: list
    steps: Iterator


def begin(settings, inputs):
    """Return the `Early` of a task's run; the iterator trains, and ends before the run diverges.

    Parameters
    ----------
    settings : dict
        Of a run of the task's training, and ``task``, one of `TASKS`.
    inputs : dict
        ``corpus``, the path of a text or None.
    """
    task = settings["task"]
    if task in TORCH:
        vocabulary = settings["corpus"]["vocabulary"]
        steps = TORCH[task].gradients(settings, inputs)
        return Early([(vocabulary, settings["dim"])], _sparse(steps))
    begun = NUMPY[task].begin(settings, inputs)
    shapes = [optimizer.table.shape for optimizer in begun.optimizers[: begun.tables]]
    steps = train(begun.optimizers, begun.gradient, settings["steps"], settings["learning_rate"])
    return Early(shapes, _plain(steps, shapes))


def steps_of(settings):
    """The steps of the whole run."""
    task = settings["task"]
    return TORCH[task].steps(settings) if task in TORCH else settings["steps"]


def share_of(settings, share=SHARE):
    """The steps of so large a share of the run, two at least."""
    return max(2, round(share * steps_of(settings)))


def _sparse(steps):
    for rows, values in steps:
        yield [Gradient(rows, values, False)]


def _plain(steps, shapes):
    for step in steps:
        if not step.finite:
            return
        yield [_gradient(part, shape) for part, shape in zip(step.gradients, shapes)]


def _gradient(part, shape):
    if isinstance(part, Sparse):
        return Gradient(np.asarray(part.rows, np.int64), part.values, False)
    return Gradient(np.arange(shape[0]), part.reshape(shape), True)
