"""One run of MACH on the ICD-10-CM codes with any optimizer, from settings to figures.

The classifiers are trained one after the other, each on the same batches. The input table is
updated sparsely, the output table densely. The rate falls linearly to zero during a run.
"""

import time

import numpy as np

from analysis.problems import icd
from analysis.problems import mach as model
from analysis.training import optimizers as make

HIDDEN = 64
META_CLASSES = 1_000
CLASSIFIERS = 2
BATCH = 512
RECALLS = (1, 10, 100)
BASE_RATES = {"Adam": 0.016, "RMSprop": 0.016}


def constants():
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
    return {
        **variant.settings(),
        "learning_rate": learning_rate,
        "steps": plan["steps"],
        "split": "validation" if trying else "test",
        "queries": plan["validation_queries" if trying else "test_queries"],
        "seed": plan["seed"],
        "replicate": replicate,
        **plan["common"],
        **({"classifiers": 1} if trying else {}),
    }


def cost(settings):
    """Time of a run, in steps of one classifier; 20 queries take about as long as one step."""
    queries = settings["queries"] or settings["data"][settings["split"]]
    return settings["classifiers"] * (settings["steps"] + queries / 20)


def measure(settings, _):
    """Train once and return recalls, ``score`` (1 − Recall@100), bytes of state and losses.

    A run has diverged when a loss stops being finite.
    """
    task = icd.load()
    entropy = np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"],))
    order, classes, *starts = entropy.spawn(2 + settings["classifiers"])
    members = model.meta_classes(
        int(classes.generate_state(1)[0]),
        task.classes,
        settings["classifiers"],
        settings["meta_classes"],
    )
    queries, labels = task.queries(settings["split"], settings["queries"])
    answers, losses, state_bytes = [], [], 0
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is reported, not warned of
        for start, of_class in zip(starts, members):
            targets, generator = of_class[task.labels["train"]], np.random.default_rng(order)
            trained = _classifier(settings, task.features["train"], targets, start, generator)
            answers.append(model.probabilities(trained["parameters"], queries))
            losses.append(trained["losses"])
            state_bytes += trained["state_bytes"]
    diverged = not np.isfinite([curve[-1] for curve in losses]).all()
    found = model.ranks(np.array(answers), members, labels)
    recalls = {str(k): float(np.mean(found <= k)) for k in RECALLS}
    return {
        "score": None if diverged else 1 - recalls["100"],
        "diverged": diverged,
        "recalls": recalls,
        "state_bytes": state_bytes,
        "losses": [[round(x, 4) if np.isfinite(x) else None for x in curve] for curve in losses],
    }


def measure_time(settings, _):
    """Processor seconds of an epoch of one classifier in batches of several sizes, and bytes.

    The sizes in ``batches`` take turns on the same classifier; each trains on ``examples`` names,
    after a first batch that is not timed.
    """
    task = icd.load()
    entropy = np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"],))
    order, classes, start = entropy.spawn(3)
    members = model.meta_classes(
        int(classes.generate_state(1)[0]), task.classes, 1, settings["meta_classes"]
    )
    features, targets = task.features["train"], members[0][task.labels["train"]]
    parameters, optimizers = _prepare(settings, features.shape[1], start)
    seconds = {}
    for size in settings["batches"]:
        batches = _batches(len(targets), size, np.random.default_rng(order))
        spent = []
        for _ in range(1 + settings["examples"] // size):
            batch = next(batches)
            begun = time.process_time()
            take_step(parameters, optimizers, features[batch], targets[batch])
            spent.append(time.process_time() - begun)
        seconds[str(size)] = float(np.mean(spent[1:])) * len(targets) / size
    state = sum(optimizer.nbytes for optimizer in optimizers)
    kept = sum(table.nbytes for table in parameters) + parameters.output.nbytes  # and its gradient
    return {
        "epoch_seconds": seconds,
        "bytes": {
            "fixed": kept + state,
            "each_name": model.bytes_of_a_name(settings["hidden"], settings["meta_classes"]),
        },
    }


def _classifier(settings, features, targets, start, generator):
    """Train one classifier; return its parameters, losses and bytes of auxiliary state."""
    parameters, optimizers = _prepare(settings, features.shape[1], start)
    losses = _train(settings, features, targets, parameters, optimizers, generator)
    state_bytes = sum(optimizer.nbytes for optimizer in optimizers)
    return {"parameters": parameters, "losses": losses, "state_bytes": state_bytes}


def _prepare(settings, features, start):
    """Return fresh parameters of a classifier and the optimizers of its two tables."""
    begin, hashing = start.spawn(2)
    sizes = features, settings["hidden"], settings["meta_classes"]
    parameters = model.initialise(np.random.default_rng(begin), *sizes)
    seeds = iter(hashing.generate_state(2 * len(settings["stores"])).tolist())
    return parameters, [make.optimizer(settings, table, seeds) for table in parameters]


def _train(settings, features, targets, parameters, optimizers, generator):
    """Take the steps; return the mean loss of each 4 % of them."""
    part = max(1, settings["steps"] // 25)
    losses, recent = [], []
    batches = _batches(len(targets), settings["batch"], generator)
    for step in range(1, settings["steps"] + 1):
        batch = next(batches)
        for optimizer in optimizers:
            optimizer.lr = settings["learning_rate"] * (1 - (step - 1) / settings["steps"])
        loss = take_step(parameters, optimizers, features[batch], targets[batch])
        recent.append(loss)
        if not np.isfinite(loss):
            return [*losses, loss]
        if step % part == 0 or step == settings["steps"]:
            losses.append(float(np.mean(recent)))
            recent.clear()
    return losses


def take_step(parameters, optimizers, features, targets):
    """Take one step of both optimizers and return the loss; none where that is not finite."""
    gradients = model.gradients(parameters, features, targets)
    if np.isfinite(gradients.loss):
        optimizers[0].step(gradients.input.values, rows=gradients.input.rows)
        optimizers[1].step(gradients.output)
    return gradients.loss


def _batches(examples, size, generator):
    """Yield batches without end: every epoch all examples in a new order, the last few left out."""
    while True:
        order = generator.permutation(examples)
        for begin in range(0, examples - size + 1, size):
            yield order[begin : begin + size]
