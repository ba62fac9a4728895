"""Runs of a perceptron on handwritten digits: settings, and what they cost. Needs no PyTorch.

Every step is dense. A store sees a matrix as rows of ``block`` neighbouring weights: 1 is the
element-wise view, in which a bucket holds single weights, None leaves the matrix as it is. Biases
are trained by an exact optimizer of the same family. The rate falls linearly to zero.
"""

from analysis.lab.optional import with_torch
from analysis.problems import digits
from analysis.training.variants import settings_of

LAYERS = (64, 128, digits.CLASSES)
BATCH = 32
BASE_RATES = {"Momentum": 0.4, "RMSprop": 1.6e-2, "Adam": 1.6e-2}


def settings(plan, variant, block, learning_rate, replicate):
    """Return the settings of a run; of a try, judged on validation data, for replicate 0.

    `plan` has the epochs and the seed.
    """
    return settings_of(plan, variant, learning_rate, replicate) | {
        "block": block,
        "epochs": plan["epochs"],
        "layers": list(LAYERS),
        "batch": BATCH,
    }


def cost(settings):
    """Epochs of a run."""
    return settings["epochs"]


def measure(settings, _=None):
    """Make a run, see `analysis.training.perceptron.measure`."""
    return with_torch("analysis.training.perceptron").measure(settings)
