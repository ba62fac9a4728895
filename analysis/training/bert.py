"""Runs of a small masked language model with dense gradients: settings, and what they cost.

BERT's setting made small: words are hidden in sequences, and a Transformer encoder predicts them.
The state of every parameter of some size is kept as a variant says. The rate falls linearly to
zero. Needs no PyTorch.
"""

from analysis.lab.optional import with_torch
from analysis.training import wikitext
from analysis.training.variants import settings_of

BASE_RATES = {"Adam": 2e-3, "RMSprop": 2e-3}
BATCH, LENGTH = 32, 32
HIDDEN = 0.15
CLIP_NORM = 1.0

_MODEL = ("dim", "heads", "layers", "epochs", "words")


def asked(name, sizes, options):
    """What an experiment's configuration has beside the size, from what the command line asks."""
    options.refuse_steps(name)
    text = wikitext.text_of(sizes[options.mode]["words"], options.corpus)
    common = {"corpus": text.summary(), "batch": BATCH, "length": LENGTH, "hidden": HIDDEN}
    return {"base_rates": BASE_RATES, "common": common}


def settings(plan, variant, learning_rate, replicate):
    """Return the settings of a run; replicate 0 is a try, judged on validation text."""
    return {
        **settings_of(plan, variant, learning_rate, replicate),
        **{name: plan[name] for name in _MODEL},
        "clip_norm": CLIP_NORM,
    }


def cost(settings):
    """Words that pass through the model; training on one takes three times reading it."""
    sizes = settings["corpus"]
    return 3 * settings["epochs"] * sizes["train"] + sizes[settings["split"]]


def measure(settings, inputs):
    """Make a run, see `analysis.training.masked.measure`."""
    masked = with_torch("analysis.training.masked")
    return masked.measure(settings, wikitext.text_of(settings["words"], inputs["corpus"]))
