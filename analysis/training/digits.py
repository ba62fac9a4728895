"""One run of a perceptron on handwritten digits, its weight matrices' state kept in any store.

Every step is dense. A store sees a matrix as rows of ``block`` neighbouring weights: 1 is the
element-wise view, in which a bucket holds single weights, None leaves the matrix as it is. Biases
are trained by an exact optimizer of the same family. The rate falls linearly to zero.
"""

from itertools import chain

import numpy as np

from analysis.problems import digits, perceptron
from analysis.training.loop import may_diverge, optimizers_of, sequences, shuffled, train
from analysis.training.variants import settings_of

SIZES = (64, 128, digits.CLASSES)
BATCH = 32
BASE_RATES = {"Momentum": 0.4, "RMSprop": 1.6e-2, "Adam": 1.6e-2}


def settings(plan, variant, block, learning_rate, replicate):
    """Return the settings of a run; of a try, judged on validation data, for replicate 0.

    `plan` has the epochs and the seed.
    """
    return settings_of(plan, variant, learning_rate, replicate) | {
        "block": block,
        "epochs": plan["epochs"],
        "sizes": list(SIZES),
        "batch": BATCH,
    }


def cost(settings):
    """Epochs of a run."""
    return settings["epochs"]


@may_diverge()
def measure(settings, _=None):
    """Train once and return the share of wrong answers on the split, and bytes of state.

    The ``score`` of a try is its cross-entropy, which is finer than the errors among a few
    hundred digits; that of a run is its share of errors. A run has diverged when its loss is no
    longer finite, or when it gets no more right than twice as many as a guess would.
    """
    deal, start, order, hashing = sequences(settings, 4)
    samples = digits.split(np.random.default_rng(deal))
    layers = perceptron.initialise(np.random.default_rng(start), settings["sizes"])
    weights = [_view(layer.weights, settings["block"]) for layer in layers]
    optimizers = optimizers_of(settings, hashing, weights, [layer.biases for layer in layers])
    pixels, labels = samples["train"]
    batches = shuffled(len(labels), settings["batch"], np.random.default_rng(order))

    def gradient():
        places = next(batches)
        loss, found = perceptron.gradients(layers, pixels[places], labels[places])
        return loss, *chain(*zip(*found))  # all weights, then all biases

    steps = settings["epochs"] * (len(labels) // settings["batch"])
    for _ in train(optimizers, gradient, steps, settings["learning_rate"]):
        pass
    loss, error = perceptron.loss_and_error(layers, *samples[settings["split"]])
    score = loss if settings["split"] == "validation" else error
    return {
        "score": round(score, 5) if np.isfinite(loss) else None,
        "diverged": not (np.isfinite(loss) and 1 - error > 2 / digits.CLASSES),
        "accuracy": round(1 - error, 5),
        "state_bytes": sum(optimizer.nbytes for optimizer in optimizers[: len(layers)]),
    }


def _view(weights, block):
    return weights if block is None else weights.reshape(-1, block)
