"""One run of a classifier with very many classes, watching how far its V is from the exact one.

Settings to figures, for any optimizer. The exact V is fed the gradients of the run itself, decays
as the run's store does and is never cleaned.
"""

from dataclasses import dataclass

import numpy as np

import sketchlab as sl
from analysis.problems.zipf_classes import Samples, ZipfClasses, accuracy
from analysis.training.loop import may_diverge, optimizers_of, sequences, shuffled, train
from analysis.training.variants import settings_of

BASE_RATES = {"Adagrad": 2.0, "Adam": 6.4e-2}
TASK = {
    "classes": 2048,
    "dim": 32,
    "exponent": 1.0,
    "noise": 0.8,
    "samples": 6144,
    "batch": 64,
    "negatives": 256,
}
JUDGED = 4000
#: Steps between two looks at the error of V: two in the paper's 125 between two cleanings.
EVERY = 62


@dataclass(frozen=True)
class CleanedDense(sl.Dense):
    """The exact variable, cleaned: what cleaning does where there is nothing to be cleaned away.

    Parameters
    ----------
    decay : {"lazy", "global"}
    clean : Clean
    """

    clean: sl.Clean | None = None


def settings(plan, variant, learning_rate, replicate):
    """Return the settings of a run; of a try, judged on validation data, for replicate 0.

    `plan` has the epochs, the seed and, under ``task``, what `TASK` has.
    """
    of_task = {"epochs": plan["epochs"], **plan["task"]}
    return settings_of(plan, variant, learning_rate, replicate) | of_task


def cost(settings):
    """Epochs of a run; one that is judged on test data is watched, too."""
    return settings["epochs"] * (2 if settings["split"] == "test" else 1)


@may_diverge()
def measure(settings, _=None):
    """Train once, at a fixed rate; return the final share of wrong answers and bytes of state.

    The wrong share is the ``score``. A run for the test also has the ``accuracies`` after each
    epoch, the ``errors`` of V after every `EVERY` steps, ‖v̂ − v‖₂ / ‖v‖₂, and its ``bias`` in the
    end, the mean of log₂(v̂ / v) where both are above zero. A run has diverged when its loss
    is no longer finite, or when it predicts no better than the most frequent class alone.
    """
    world, order, hashing = sequences(settings, 3)
    task, samples = _task(settings, np.random.default_rng(world))
    table = np.zeros((settings["classes"], settings["dim"] + 1), np.float32)
    (optimizer,) = optimizers_of(settings, hashing, [table])
    watch = Watch(optimizer) if settings["split"] == "test" else None
    epoch, accuracies = len(samples["train"].labels) // settings["batch"], []
    gradient = _gradients(settings, task, samples["train"], table, np.random.default_rng(order))
    for step in train([optimizer], gradient, settings["epochs"] * epoch):
        if watch is not None and step.finite:
            watch.follow(*step.gradients[0])
        if step.number % epoch == 0 or not step.finite:
            accuracies.append(accuracy(table, samples[settings["split"]]))
    result = {
        "score": 1 - accuracies[-1] if step.finite else None,
        "diverged": not (step.finite and accuracies[-1] > task.frequencies[0]),
        "state_bytes": optimizer.nbytes,
    }
    if watch is None:
        return result
    return result | {"accuracies": [round(value, 4) for value in accuracies]} | watch.plain()


def _task(settings, generator):
    task = ZipfClasses(
        *(settings[name] for name in ("classes", "dim", "exponent", "noise")), generator
    )
    counts = {"train": settings["samples"], "validation": JUDGED, "test": JUDGED}
    return task, {name: task.draw(count, generator) for name, count in counts.items()}


def _gradients(settings, task, samples, table, generator):
    """Return ``gradient()``, each time of the next batch."""
    batches = shuffled(len(samples.labels), settings["batch"], generator)

    def gradient():
        places = next(batches)
        batch = Samples(samples.features[places], samples.labels[places])
        return task.gradient(table, batch, settings["negatives"], generator)

    return gradient


class Watch:
    """The exact V beside an optimizer's, and their distance after every `EVERY` steps.

    Parameters
    ----------
    optimizer : Optimizer
        Before its first step; it keeps a second moment.
    """

    def __init__(self, optimizer):
        self.optimizer = optimizer
        (self.recursion,) = (
            recursion
            for moment, recursion in zip(optimizer.rule.moments, optimizer.rule.recursions())
            if moment.squared
        )
        decay = "global" if optimizer.v.decay == "global" else "lazy"
        self.exact = sl.Dense(decay).allocate(*optimizer.table.shape)
        self.errors = []

    def follow(self, rows, values):
        """Feed the exact variable what the optimizer was just fed."""
        rows, values = sl.stores.coalesce(rows, values)
        self.exact.advance(rows, values, *self.recursion, squared=True)
        if self.optimizer.step_count % EVERY == 0:
            truth, answer = self._both()
            self.errors.append(float(np.linalg.norm(answer - truth) / np.linalg.norm(truth)))

    def _both(self):
        everyone = np.arange(self.exact.n)
        return [store.estimate(everyone) for store in (self.exact, self.optimizer.v)]

    def plain(self):
        """What was seen, as JSON."""
        truth, answer = self._both()
        both = (truth > 0) & (answer > 0)
        return {
            "errors": [_rounded(value) for value in self.errors],
            "bias": _rounded(np.mean(np.log2(answer[both] / truth[both]))),
        }


def _rounded(value):
    return float(f"{value:.4g}") if np.isfinite(value) else None
