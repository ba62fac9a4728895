"""The gradients of the first steps of a task's training, with the state that its settings say.

Stores are driven along them, as they come (`analysis.experiments.replay_predicts`) or from a file
(``python -m analysis record``).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analysis.advice.stream import Gradient
from analysis.lab.errors import UsageError
from analysis.problems import split_text
from analysis.problems.sampled_softmax import Sparse
from analysis.training import lm1b, tasks, wikitext
from analysis.training.loop import train

#: Tasks of the laboratory's own models, in NumPy.
NUMPY = {name: task.module for name, task in tasks.TASKS.items() if hasattr(task.module, "begin")}
#: And in PyTorch.
TORCH = {"wikitext-lstm": wikitext, "lm1b-lstm": lm1b}
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

    Raises
    ------
    UsageError
        If the settings of a training in PyTorch are for another text, or PyTorch is missing.
    """
    task = settings["task"]
    if task in TORCH:
        _check_text(settings, inputs["corpus"])
        return Early(TORCH[task].shapes(settings), _sparse(TORCH[task].gradients(settings, inputs)))
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


def _check_text(settings, path):
    """Refuse another text than the one that the settings are for."""
    wanted, found = settings["corpus"], split_text.load(path)
    if found.digest != wanted["sha256"]:
        raise UsageError(
            f"the recorded training of {settings['task']} was on {wanted['name']} (SHA-256 "
            f"{wanted['sha256']}...), not on {found.name}: give that text with --corpus"
        )


def _sparse(steps):
    for tables in steps:
        yield [Gradient(rows, values, False) for rows, values in tables]


def _plain(steps, shapes):
    for step in steps:
        if not step.finite:
            return
        yield [_gradient(part, shape) for part, shape in zip(step.gradients, shapes)]


def _gradient(part, shape):
    if isinstance(part, Sparse):
        return Gradient(np.asarray(part.rows, np.int64), part.values, False)
    return Gradient(np.arange(shape[0]), part.reshape(shape), True)
