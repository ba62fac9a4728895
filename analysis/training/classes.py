"""One run of a classifier with very many classes, watching how far its V is from the exact one.

Settings to figures, for any optimizer. The exact V is fed the gradients of the run itself, decays
as the run's store does and is never cleaned.
"""

from dataclasses import dataclass

import numpy as np

import sketchlab as sl
from analysis.problems.zipf_classes import Samples, ZipfClasses, accuracy
from analysis.training import optimizers as make

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
    return {
        **variant.settings(),
        "learning_rate": learning_rate,
        "epochs": plan["epochs"],
        "split": "test" if replicate else "validation",
        "seed": plan["seed"],
        "replicate": replicate,
        **plan["task"],
    }


def cost(settings):
    """Epochs of a run; one that is judged on test data is watched, too."""
    return settings["epochs"] * (2 if settings["split"] == "test" else 1)


def measure(settings, _=None):
    """Train once, at a fixed rate; return the final share of wrong answers and bytes of state.

    The wrong share is the ``score``. A run for the test also has the ``accuracies`` after each
    epoch, the ``errors`` of V after every `EVERY` steps, ‖v̂ − v‖₂ / ‖v‖₂, and its ``bias`` in the
    end, the mean of log₂(v̂ / v) where both are above zero. A run has diverged when its loss
    is no longer finite, or when it predicts no better than the most frequent class alone.
    """
    entropy = np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"],))
    world, order, hashing = entropy.spawn(3)
    task, samples = _task(settings, np.random.default_rng(world))
    table = np.zeros((settings["classes"], settings["dim"] + 1), np.float32)
    seeds = iter(hashing.generate_state(len(settings["stores"])).tolist())
    optimizer = make.optimizer(settings, table, seeds)
    watch = Watch(optimizer) if settings["split"] == "test" else None
    generator, accuracies = np.random.default_rng(order), []
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is reported, not warned of
        for _ in range(settings["epochs"]):
            finite = _epoch(settings, task, samples["train"], optimizer, watch, generator)
            accuracies.append(accuracy(table, samples[settings["split"]]))
            if not finite:
                break
    result = {
        "score": 1 - accuracies[-1] if finite else None,
        "diverged": not (finite and accuracies[-1] > task.frequencies[0]),
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


def _epoch(settings, task, samples, optimizer, watch, generator):
    """Take the steps of one epoch; False as soon as the loss is no longer finite."""
    order = generator.permutation(len(samples.labels))
    batches = len(order) // settings["batch"]
    for places in order[: batches * settings["batch"]].reshape(batches, -1):
        batch = Samples(samples.features[places], samples.labels[places])
        loss, (rows, values) = task.gradient(
            optimizer.table, batch, settings["negatives"], generator
        )
        if not np.isfinite(loss):
            return False
        optimizer.step(values, rows=rows)
        if watch is not None:
            watch.follow(rows, values)
    return True


class Watch:
    """The exact V beside an optimizer's, and how far they were apart at every so many-th step.

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
