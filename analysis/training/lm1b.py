"""The runs of the paper's LM1B set-up: settings, and what they cost. Needs no PyTorch.

Embedding and sampled softmax have sparse gradients, and `sketched` says which parts of the model
are kept as a variant says; all others have exact state. The rate falls linearly to zero over the
epochs, and the gradients of each module are clipped to a norm of their own. Batches and negatives
are as many for a word of the vocabulary as in the released code, so that a step moves as large a
share of the rows, and as many for a bucket.
"""

from analysis.lab import machine
from analysis.lab.optional import with_torch
from analysis.problems import corpus
from analysis.training import wikitext
from analysis.training.variants import settings_of

PARTS = ("embedding", "layers", "output")
TABLES = ("embedding", "output")
#: As published: words, sequences of a batch, negatives, words of a sequence.
VOCABULARY, BATCH, SAMPLES, SEGMENT = 793_471, 1_024, 8_192, 20
BUCKETS = 3 * 52_898
BASE_RATES = {"Adam": 4e-3}
CLIP_NORM = 1.0
#: Places whose scores among all words are computed at a time.
DECODED = 100
#: The words that a table of this kind should have to be judged by.
ENOUGH = 60_000

#: Models that two cores can train.
SMALL = {
    "full": {"dim": 64, "width": 128, "device": "cpu"},
    "quick": {"dim": 32, "width": 64, "device": "cpu"},
}
_MODEL = ("dim", "width", "epochs", "device", "words")


def asked(name, sizes, options):
    """What an experiment's configuration has beside the size, from what the command line asks.

    Raises
    ------
    UsageError
        If steps are asked for, or the model does not fit into memory.
    """
    options.refuse_steps(name)
    size = sizes[options.mode]
    return {
        "device": wikitext.device(size["device"]),
        "base_rates": BASE_RATES,
        "common": constants(size, options.corpus),
    }


def constants(size, path):
    """What all runs of a size on a text have in common, as plain values.

    Raises
    ------
    UsageError
        If the model does not fit into memory.
    """
    text = wikitext.text_of(size["words"], path)
    needed = model_bytes(text.vocabulary, size)
    machine.require(
        needed,
        f"a vocabulary of {text.vocabulary:,} words (two tables of {size['dim']} columns, "
        f"{needed:,} bytes)",
        "give a text with fewer words",
    )
    return {"corpus": text.summary(), **batches(text.vocabulary)}


def batches(vocabulary):
    """The sequences of a batch, and the negatives, that a vocabulary has in proportion."""
    share = vocabulary / VOCABULARY
    return {
        "batch": max(1, round(share * BATCH)),
        "segment": SEGMENT,
        "samples": max(1, round(share * SAMPLES)),
    }


def model_bytes(vocabulary, size):
    """Bytes of both tables, their exact state, and scores of the whole vocabulary."""
    return 4 * vocabulary * (3 * (2 * size["dim"] + 1) + 3 * DECODED)


def settings(plan, variant, learning_rate, replicate, sketched=TABLES):
    """Return the settings of a run; replicate 0 is a try, judged on validation text."""
    return {
        **settings_of(plan, variant, learning_rate, replicate),
        **{name: plan[name] for name in _MODEL},
        "sketched": list(sketched),
        "clip_norm": CLIP_NORM,
    }


def cost(settings):
    """Words trained on; one scored among 6,000 takes about as long."""
    sizes = settings["corpus"]
    scored = sizes["validation"] * settings["epochs"]
    scored += sizes["test"] if settings["split"] == "test" else 0
    return settings["epochs"] * sizes["train"] + scored * sizes["vocabulary"] // 6_000


def steps(settings):
    """The steps of a run."""
    length = settings["corpus"]["train"] // settings["batch"] - 1
    return settings["epochs"] * -(-length // settings["segment"])


def shapes(settings):
    """Rows and columns of both tables; the softmax has a column of biases."""
    rows, dim = settings["corpus"]["vocabulary"], settings["dim"]
    return [(rows, dim), (rows, dim + 1)]


def gradients(settings, inputs):
    """Train, and yield both tables' gradients in every step, see `analysis.training.sampled`."""
    sampled = with_torch("analysis.training.sampled")
    return sampled.gradients(settings, wikitext.text_of(settings["words"], inputs["corpus"]))


def measure(settings, inputs):
    """Make a run, see `analysis.training.sampled.measure`."""
    sampled = with_torch("analysis.training.sampled")
    return sampled.measure(settings, wikitext.text_of(settings["words"], inputs["corpus"]))


def about(configuration):
    """Notes on text, model and batches, for tables."""
    common, text = configuration["common"], configuration["common"]["corpus"]
    seen = common["batch"] * common["segment"]
    buckets = BUCKETS * text["vocabulary"] / VOCABULARY
    yield (
        f"{text['name']}: {text['train']:,} words to train on, {text['validation']:,} and "
        f"{text['test']:,} to validate and test with, vocabulary {text['vocabulary']:,}; one LSTM "
        f"layer of {configuration['width']} units projected to {configuration['dim']}, sampled "
        f"softmax with {common['samples']:,} log-uniform samples, perplexity by the full softmax. "
        f"Both tables' gradients are sparse. The rate falls linearly to 0; clipping to norm "
        f"{CLIP_NORM:g} by module. Biases begin at the words' frequencies, which shortens runs."
    )
    yield (
        f"Batches of {common['batch']:,} × {common['segment']} words: at 5x {seen / buckets:.2f} "
        f"words and {common['samples'] / buckets:.2f} samples for a bucket in all rows of a "
        f"sketch; LM1B's of {BATCH:,} × {SEGMENT}: {BATCH * SEGMENT / BUCKETS:.2f} and "
        f"{SAMPLES / BUCKETS:.2f}."
    )
    if text["vocabulary"] < ENOUGH:
        yield (
            f"The vocabulary is smaller than the {ENOUGH:,} words that this set-up asks for (LM1B: "
            f"{VOCABULARY:,}): give a text of some ten million words with --corpus; {text['name']} "
            f"has {text['vocabulary']:,} words seen {corpus.MIN_COUNT} times."
        )
