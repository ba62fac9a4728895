"""The runs of the paper's Wikitext-2 set-up: settings, and what they cost. Needs no PyTorch.

Everything is as published but for the size: two LSTM layers with dropout, batches of 20 segments
of 35 words, gradients clipped to a joint norm, the rate divided by 4 after every epoch that does
not improve the validation perplexity. Only the embedding has sparse gradients, and only its state
is kept as a variant says; the decoder and the LSTM keep exact state of the same family.

A family whose variant names no first moment drops it in the embedding: Adam becomes RMSprop, and
momentum SGD, at the rate that momentum comes to in the long run.
"""

from analysis.lab import machine
from analysis.lab.optional import with_torch
from analysis.problems import split_text
from analysis.training.variants import settings_of

BATCH, SEGMENT = 20, 35
#: The published rates and clipping norms.
BASE_RATES = {"Momentum": 2.5, "Adam": 1e-3}
CLIP_NORMS = {"Momentum": 0.25, "Adam": 1.0}
MOMENTUM = 0.9
CUT = 4.0
#: Places that are decoded at a time, see `analysis.problems.lstm_model`.
DECODED = 175

_MODEL = ("dim", "width", "layers", "dropout", "cuts", "device")


def device(wanted):
    """Return the device that is wanted, the CPU where PyTorch has no GPU."""
    if wanted == "cuda" and not with_torch("torch").cuda.is_available():
        return "cpu"
    return wanted


def text_of(words, path):
    """Return the text of a path, cut to the sizes of a plan or of a run's ``words``."""
    return split_text.load(path).cut(**words)


def constants(size, path):
    """What all runs of a size on a text have in common, as plain values.

    Raises
    ------
    UsageError
        If the model does not fit into memory.
    """
    text = text_of(size["words"], path)
    needed = model_bytes(text.vocabulary, size)
    machine.require(
        needed,
        f"a vocabulary of {text.vocabulary:,} words (a model of {size['layers']} x "
        f"{size['width']}, {needed:,} bytes)",
        "give a text with fewer words",
    )
    return {"corpus": text.summary(), "batch": BATCH, "segment": SEGMENT}


def model_bytes(vocabulary, size):
    """Bytes of parameters, exact state, gradients and the best parameters of a run, and logits."""
    gates = sum(
        4 * size["width"] * (size["width"] + (size["width"] if layer else size["dim"]) + 2)
        for layer in range(size["layers"])
    )
    embedding, decoder = vocabulary * size["dim"], vocabulary * (size["width"] + 1)
    dense = decoder + gates
    return 4 * (4 * embedding + 5 * dense + 3 * DECODED * vocabulary)


def settings(plan, variant, learning_rate, replicate):
    """Return the settings of a run; replicate 0 is a try, shorter and judged on validation text."""
    return {
        **settings_of(plan, variant, learning_rate, replicate),
        **{name: plan[name] for name in _MODEL},
        "words": plan["words"],
        "clip_norm": CLIP_NORMS[variant.family],
        "epochs": plan["epochs" if replicate else "sweep_epochs"],
    }


def cost(settings):
    """Words that pass through the model; training on one takes three times reading it."""
    sizes = settings["corpus"]
    test = sizes["test"] if settings["split"] == "test" else 0
    return settings["epochs"] * (3 * sizes["train"] + sizes["validation"]) + test


def steps(settings):
    """The steps of a run that uses all of its epochs."""
    length = settings["corpus"]["train"] // settings["batch"] - 1
    return settings["epochs"] * -(-length // settings["segment"])


def shapes(settings):
    """Rows and columns of what is sketched: the embedding alone."""
    return [(settings["corpus"]["vocabulary"], settings["dim"])]


def gradients(settings, inputs):
    """Train, and yield the embedding's gradient in every step, see `analysis.training.neural`."""
    neural = with_torch("analysis.training.neural")
    return neural.gradients(settings, text_of(settings["words"], inputs["corpus"]))


def measure(settings, inputs):
    """Make a run, see `analysis.training.neural.measure`."""
    neural = with_torch("analysis.training.neural")
    return neural.measure(settings, text_of(settings["words"], inputs["corpus"]))
