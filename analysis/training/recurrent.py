"""One run of the recurrent language model with one optimizer, from settings to figures.

The two tables are updated sparsely by the optimizer under test, the layer's weights by the dense
step of the same family with exact state. The gradient, all parts together, is clipped to a norm,
and the rate falls linearly to zero.
"""

import numpy as np

from analysis.problems import corpus as text
from analysis.problems import lstm as model
from analysis.problems.sampled_softmax import LogUniform, Sparse
from analysis.training.loop import Begun, may_diverge, optimizers_of, plain, sequences, train
from analysis.training.variants import settings_of

DIM = 64
WIDTH = 64
BATCH = 20
SEGMENT = 35
SAMPLES = 600
BASE_RATES = {"Momentum": 5.0, "Adagrad": 0.15, "Adam": 0.02, "RMSprop": 0.02}
CLIP_NORMS = {"Momentum": 0.25, "Adagrad": 0.1, "Adam": 1.0, "RMSprop": 1.0}
POINTS = 10


def constants(path):
    """What all runs on a text have in common, as plain values."""
    sizes = {"dim": DIM, "width": WIDTH, "batch": BATCH, "segment": SEGMENT, "samples": SAMPLES}
    return {"corpus": text.load(path).summary(), **sizes}


def settings(plan, variant, learning_rate, replicate):
    """Return the settings of a run: of a try, judged on validation text, for replicate 0.

    `plan` has the steps and the words evaluated of a run and of a try, the words watched on the
    way, the seed and, under ``common``, the `constants`.
    """
    trying = replicate == 0
    return settings_of(plan, variant, learning_rate, replicate) | {
        "clip_norm": CLIP_NORMS[variant.family],
        "steps": plan["sweep_steps" if trying else "steps"],
        "evaluated_words": plan["validation_words" if trying else "test_words"],
        "watched_words": 0 if trying else plan["watched_words"],
    }


def cost(settings):
    """Time of a run, in steps; scoring 100 words takes about as long as one step."""
    words = settings["evaluated_words"] + POINTS * settings["watched_words"]
    return settings["steps"] + words / 100


def begin(settings, inputs, sizes=None):
    """Return the run of some settings before its first step.

    `sizes`, a list, takes the number of words of each step.
    """
    corpus = text.load(inputs["corpus"])
    start, order, hashing = sequences(settings, 3)
    counts = np.bincount(corpus.tokens[corpus.positions["train"]], minlength=len(corpus.words))
    parameters = model.initialise(
        np.random.default_rng(start), counts, settings["dim"], settings["width"]
    )
    optimizers = optimizers_of(settings, hashing, parameters[:2], parameters[2:])
    sizes, generator = [] if sizes is None else sizes, np.random.default_rng(order)
    gradients = _gradients(settings, corpus, parameters, generator, sizes)
    return Begun(parameters, optimizers, gradients.__next__, tables=2)


@may_diverge()
def measure(settings, inputs):
    """Train once and return the perplexity, the bytes of state and what was seen on the way.

    A run has diverged when its loss stops being finite, or when in the end it predicts worse
    than a guess among all words would. The curve holds epochs, losses and, with ``watched_words``,
    perplexities over that many words of the validation text.
    """
    corpus, sizes = text.load(inputs["corpus"]), []
    parameters, optimizers, gradient, _ = begin(settings, inputs, sizes)
    points = _train(settings, corpus, parameters, optimizers, gradient, sizes)
    score = np.inf
    if points[-1]["loss"] is not None:
        words = settings["evaluated_words"]
        score = perplexity(settings, corpus, parameters, settings["split"], words)
    embedding, softmax, layer = (optimizer.nbytes for optimizer in optimizers)
    return {
        "score": score if np.isfinite(score) else None,
        "diverged": not score <= len(corpus.words),
        "state_bytes": embedding + softmax,
        "layer_state_bytes": layer,
        "curve": {name: [point.get(name) for point in points] for name in points[0]},
    }


def perplexity(settings, corpus, parameters, split, words):
    """Return the perplexity over the beginnings of a split's streams, `words` words in all."""
    streams = model.streams(corpus.tokens, corpus.positions[split], settings["batch"])
    return model.perplexity(parameters, streams.first(words), settings["segment"])


def segments(settings, corpus, generator):
    """Yield the training text's segments, epoch after epoch, each with whether an epoch begins.

    Where the streams are cut out of the text differs from one generator to the next.
    """
    places = corpus.positions["train"]
    places = np.roll(places, -generator.integers(len(places)))
    streams = model.streams(corpus.tokens, places, settings["batch"])
    while True:
        for number, segment in enumerate(streams.segments(settings["segment"])):
            yield segment, number == 0


def clip(gradients, limit):
    """Return gradients scaled down, if need be, to a joint norm of `limit` (Pascanu et al. 2013).

    The rows of a sparse gradient must be distinct.
    """
    parts = gradients.embedding.values, gradients.softmax.values, gradients.layer
    norm = np.sqrt(sum(float(np.vdot(part, part)) for part in parts))
    if norm <= limit:
        return gradients
    embedding, softmax, layer = (np.float32(limit / norm) * part for part in parts)
    return gradients._replace(
        embedding=Sparse(gradients.embedding.rows, embedding),
        softmax=Sparse(gradients.softmax.rows, softmax),
        layer=layer,
    )


def _train(settings, corpus, parameters, optimizers, gradient, sizes):
    """Take the steps; return `POINTS` points of the curve, at even distances."""
    steps = settings["steps"]
    reported = {steps * point // POINTS for point in range(1, POINTS + 1)}
    points, recent = [], []
    for step in train(optimizers, gradient, steps, settings["learning_rate"]):
        if not step.finite:
            points.append(_point(settings, corpus, parameters, sum(sizes[:-1]), step.loss))
            break
        recent.append(step.loss)
        if step.number in reported:
            mean = float(np.mean(recent))
            points.append(_point(settings, corpus, parameters, sum(sizes), mean))
            recent.clear()
    return points


def _gradients(settings, corpus, parameters, generator, sizes):
    """Yield the clipped gradient of one segment after the other; `sizes` takes their words."""
    proposal, samples = LogUniform(len(corpus.words)), settings["samples"]
    for segment, fresh in segments(settings, corpus, generator):
        if fresh:
            state = model.rest(parameters, settings["batch"])
        sizes.append(segment.targets.size)
        negatives = proposal.negatives(generator, samples)
        expected = proposal.log_expected(segment.targets, samples)
        gradients, state = model.gradients(parameters, segment, state, expected, negatives)
        yield clip(gradients, settings["clip_norm"])


def _point(settings, corpus, parameters, words, loss):
    """A point of the curve: epochs seen, mean loss since the last point, perplexity if watched."""
    point = {"epoch": round(words / len(corpus.positions["train"]), 4), "loss": plain(loss, 4)}
    if settings["watched_words"] and np.isfinite(loss):
        seen = perplexity(settings, corpus, parameters, "validation", settings["watched_words"])
        point["perplexity"] = plain(seen, 3)
    return point
