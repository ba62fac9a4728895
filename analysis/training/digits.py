"""One run of a perceptron on handwritten digits, its weight matrices' state kept in any store.

Every step is dense. A store sees a matrix as rows of ``block`` neighbouring weights: 1 is the
element-wise view, in which a bucket holds single weights, None leaves the matrix as it is. Biases
are trained by an exact optimizer of the same family. The rate falls linearly to zero.
"""

from itertools import chain

import numpy as np

from analysis.problems import digits, perceptron
from analysis.training import optimizers as make

SIZES = (64, 128, digits.CLASSES)
BATCH = 32
BASE_RATES = {"Momentum": 0.4, "RMSprop": 1.6e-2, "Adam": 1.6e-2}


def settings(plan, variant, block, learning_rate, replicate):
    """Return the settings of a run; of a try, judged on validation data, for replicate 0.

    `plan` has the epochs and the seed.
    """
    return {
        **variant.settings(),
        "block": block,
        "learning_rate": learning_rate,
        "epochs": plan["epochs"],
        "split": "test" if replicate else "validation",
        "seed": plan["seed"],
        "replicate": replicate,
        "sizes": list(SIZES),
        "batch": BATCH,
    }


def cost(settings):
    """Epochs of a run."""
    return settings["epochs"]


def measure(settings, _=None):
    """Train once and return the share of wrong answers on the split, and bytes of state.

    The ``score`` of a try is its cross-entropy, which is finer than the errors among a few
    hundred digits; that of a run is its share of errors. A run has diverged when its loss is no
    longer finite, or when it gets no more right than twice as many as a guess would.
    """
    entropy = np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"],))
    deal, start, order, hashing = entropy.spawn(4)
    samples = digits.split(np.random.default_rng(deal))
    layers = perceptron.initialise(np.random.default_rng(start), settings["sizes"])
    seeds = iter(hashing.generate_state(len(layers) * len(settings["stores"])).tolist())
    views = [_view(layer.weights, settings["block"]) for layer in layers]
    optimizers = [
        perceptron.Layer(make.optimizer(settings, view, seeds), make.exact(settings, layer.biases))
        for layer, view in zip(layers, views, strict=True)
    ]
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is reported, not warned of
        _train(settings, samples["train"], layers, optimizers, np.random.default_rng(order))
        loss, error = perceptron.loss_and_error(layers, *samples[settings["split"]])
    score = loss if settings["split"] == "validation" else error
    return {
        "score": round(score, 5) if np.isfinite(loss) else None,
        "diverged": not (np.isfinite(loss) and 1 - error > 2 / digits.CLASSES),
        "accuracy": round(1 - error, 5),
        "state_bytes": sum(optimizer.weights.nbytes for optimizer in optimizers),
    }


def _view(weights, block):
    return weights if block is None else weights.reshape(-1, block)


def _train(settings, samples, layers, optimizers, generator):
    """Take the steps, fewer where the loss is no longer finite."""
    batch = settings["batch"]
    steps = len(samples.labels) // batch
    for epoch in range(settings["epochs"]):
        order = generator.permutation(len(samples.labels))
        for number in range(steps):
            places = order[number * batch : (number + 1) * batch]
            loss, found = perceptron.gradients(
                layers, samples.pixels[places], samples.labels[places]
            )
            if not np.isfinite(loss):
                return
            done = (epoch * steps + number) / (settings["epochs"] * steps)
            _step(optimizers, found, settings["learning_rate"] * (1 - done))


def _step(optimizers, gradients, rate):
    for optimizer, gradient in zip(chain(*optimizers), chain(*gradients), strict=True):
        optimizer.lr = rate
        optimizer.step(gradient.reshape(optimizer.table.shape))
