"""One run of MACH on the ICD-10-CM codes with any optimizer, from settings to figures.

The classifiers are trained one after the other, each on the same batches. The input table is
updated sparsely, the output table densely. The rate falls linearly to zero during a run.
"""

import time

import numpy as np

from analysis.problems import icd
from analysis.problems import mach as model
from analysis.training.loop import (
    Begun,
    Losses,
    may_diverge,
    optimizers_of,
    sequences,
    shuffled,
    train,
)
from analysis.training.variants import settings_of

HIDDEN = 64
META_CLASSES = 1_000
CLASSIFIERS = 2
BATCH = 512
RECALLS = (1, 10, 100)
BASE_RATES = {"Adam": 0.016, "RMSprop": 0.016}


def constants(_=None):
    """What all runs have in common, as plain values."""
    return {
        "data": icd.load().summary(),
        "hidden": HIDDEN,
        "meta_classes": META_CLASSES,
        "classifiers": CLASSIFIERS,
        "batch": BATCH,
    }


def settings(plan, variant, learning_rate, replicate):
    """Return the settings of a run: of a try, judged on validation queries, for replicate 0.

    `plan` has the steps of a classifier, the queries (``test_queries`` and, of a try,
    ``validation_queries``, None for all), the seed and, under ``common``, the `constants`. A try
    trains one classifier only.
    """
    trying = replicate == 0
    return settings_of(plan, variant, learning_rate, replicate) | {
        "steps": plan["steps"],
        "queries": plan["validation_queries" if trying else "test_queries"],
        **({"classifiers": 1} if trying else {}),
    }


def cost(settings):
    """Time of a run, in steps of one classifier; 20 queries take about as long as one step."""
    queries = settings["queries"] or settings["data"][settings["split"]]
    return settings["classifiers"] * (settings["steps"] + queries / 20)


def begin(settings, _=None):
    """Return the run of the first classifier before its first step."""
    task = icd.load()
    order, classes, start, *_ = sequences(settings, 2 + settings["classifiers"])
    targets = _members(settings, task, classes)[0][task.labels["train"]]
    parameters, optimizers = _prepare(settings, task.features["train"].shape[1], start)
    gradient = _gradients(parameters, task.features["train"], targets, settings["batch"], order)
    return Begun(parameters, optimizers, gradient, tables=2)


@may_diverge()
def measure(settings, _):
    """Train once and return recalls, ``score`` (1 − Recall@100), bytes of state and losses.

    A run has diverged when a loss stops being finite.
    """
    task = icd.load()
    order, classes, *starts = sequences(settings, 2 + settings["classifiers"])
    members = _members(settings, task, classes)
    queries, labels = task.queries(settings["split"], settings["queries"])
    answers, losses, state_bytes = [], [], 0
    for start, of_class in zip(starts, members):
        targets = of_class[task.labels["train"]]
        parameters, optimizers = _prepare(settings, task.features["train"].shape[1], start)
        gradient = _gradients(parameters, task.features["train"], targets, settings["batch"], order)
        losses.append(Losses(settings["steps"], 25))
        for step in train(optimizers, gradient, settings["steps"], settings["learning_rate"]):
            losses[-1].add(step)
        answers.append(model.probabilities(parameters, queries))
        state_bytes += sum(optimizer.nbytes for optimizer in optimizers)
    diverged = not all(curve.finite for curve in losses)
    found = model.ranks(np.array(answers), members, labels)
    recalls = {str(k): float(np.mean(found <= k)) for k in RECALLS}
    return {
        "score": None if diverged else 1 - recalls["100"],
        "diverged": diverged,
        "recalls": recalls,
        "state_bytes": state_bytes,
        "losses": [curve.plain() for curve in losses],
    }


def measure_time(settings, _):
    """Processor seconds of an epoch of one classifier in batches of several sizes, and bytes.

    The sizes in ``batches`` take turns on the same classifier; each trains on ``examples`` names,
    after a first batch that is not timed.
    """
    task = icd.load()
    order, classes, start = sequences(settings, 3)
    members = _members(settings | {"classifiers": 1}, task, classes)
    features, targets = task.features["train"], members[0][task.labels["train"]]
    parameters, optimizers = _prepare(settings, features.shape[1], start)
    seconds = {}
    for size in settings["batches"]:
        gradient = _gradients(parameters, features, targets, size, order)
        moments = [time.process_time()]
        for _ in train(optimizers, gradient, 1 + settings["examples"] // size):
            moments.append(time.process_time())
        seconds[str(size)] = float(np.mean(np.diff(moments)[1:])) * len(targets) / size
    state = sum(optimizer.nbytes for optimizer in optimizers)
    kept = sum(table.nbytes for table in parameters) + parameters.output.nbytes  # and its gradient
    return {
        "epoch_seconds": seconds,
        "bytes": {
            "fixed": kept + state,
            "each_name": model.bytes_of_a_name(settings["hidden"], settings["meta_classes"]),
        },
    }


def _members(settings, task, sequence):
    """The meta-class of every class under every classifier."""
    seed = int(sequence.generate_state(1)[0])
    return model.meta_classes(seed, task.classes, settings["classifiers"], settings["meta_classes"])


def _prepare(settings, features, start):
    """Return fresh parameters of a classifier and the optimizers of its two tables."""
    begin, hashing = start.spawn(2)
    sizes = features, settings["hidden"], settings["meta_classes"]
    parameters = model.initialise(np.random.default_rng(begin), *sizes)
    return parameters, optimizers_of(settings, hashing, parameters)


def _gradients(parameters, features, targets, size, sequence):
    """Return ``gradient()``, each time of the next batch of names."""
    batches = shuffled(len(targets), size, np.random.default_rng(sequence))

    def gradient():
        batch = next(batches)
        return model.gradients(parameters, features[batch], targets[batch])

    return gradient
