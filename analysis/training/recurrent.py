"""One run of the recurrent language model with one optimizer, from settings to figures.

The two tables are updated sparsely by the optimizer under test, the layer's weights by the dense
step of the same family with exact state. The gradient, all parts together, is clipped to a norm,
and the rate falls linearly to zero.
"""

import numpy as np

from analysis.problems import corpus as text
from analysis.problems import lstm as model
from analysis.problems.sampled_softmax import LogUniform, Sparse
from analysis.training import optimizers as make

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
    return {
        **variant.settings(),
        "learning_rate": learning_rate,
        "clip_norm": CLIP_NORMS[variant.family],
        "steps": plan["sweep_steps" if trying else "steps"],
        "split": "validation" if trying else "test",
        "evaluated_words": plan["validation_words" if trying else "test_words"],
        "watched_words": 0 if trying else plan["watched_words"],
        "seed": plan["seed"],
        "replicate": replicate,
        **plan["common"],
    }


def cost(settings):
    """Time of a run, in steps; scoring 100 words takes about as long as one step."""
    words = settings["evaluated_words"] + POINTS * settings["watched_words"]
    return settings["steps"] + words / 100


def measure(settings, inputs):
    """Train once and return the perplexity, the bytes of state and what was seen on the way.

    A run has diverged when its loss stops being finite, or when in the end it predicts worse
    than a guess among all words would. The curve holds epochs, losses and, with ``watched_words``,
    perplexities over so many words of the validation text.
    """
    corpus = text.load(inputs["corpus"])
    entropy = np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"],))
    start, order, hashing = entropy.spawn(3)
    counts = np.bincount(corpus.tokens[corpus.positions["train"]], minlength=len(corpus.words))
    parameters = model.initialise(
        np.random.default_rng(start), counts, settings["dim"], settings["width"]
    )
    seeds = iter(hashing.generate_state(2 * len(settings["stores"])).tolist())
    optimizers = model.Parameters(
        make.optimizer(settings, parameters.embedding, seeds),
        make.optimizer(settings, parameters.softmax, seeds),
        make.exact(settings, parameters.layer),
    )
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is reported, not warned of
        points = _train(settings, corpus, parameters, optimizers, np.random.default_rng(order))
        score = np.inf
        if points[-1]["loss"] is not None:
            words = settings["evaluated_words"]
            score = perplexity(settings, corpus, parameters, settings["split"], words)
    return {
        "score": score if np.isfinite(score) else None,
        "diverged": not score <= len(corpus.words),
        "state_bytes": optimizers.embedding.nbytes + optimizers.softmax.nbytes,
        "layer_state_bytes": optimizers.layer.nbytes,
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


def _train(settings, corpus, parameters, optimizers, generator):
    """Take the steps; return `POINTS` points of the curve, at even distances."""
    proposal, samples = LogUniform(len(corpus.words)), settings["samples"]
    steps, words = settings["steps"], 0
    reported = {steps * point // POINTS for point in range(1, POINTS + 1)}
    points, recent = [], []
    text_segments = segments(settings, corpus, generator)
    for step in range(1, steps + 1):
        segment, fresh = next(text_segments)
        if fresh:
            state = model.rest(parameters, settings["batch"])
        negatives = proposal.negatives(generator, samples)
        expected = proposal.log_expected(segment.targets, samples)
        gradients, state = model.gradients(parameters, segment, state, expected, negatives)
        if not np.isfinite(gradients.loss):
            return [*points, _point(settings, corpus, parameters, words, gradients.loss)]
        words += segment.targets.size
        recent.append(gradients.loss)
        rate = settings["learning_rate"] * (1 - (step - 1) / steps)
        take_step(optimizers, clip(gradients, settings["clip_norm"]), rate)
        if step in reported:
            points.append(_point(settings, corpus, parameters, words, float(np.mean(recent))))
            recent.clear()
    return points


def take_step(optimizers, gradients, rate):
    """Move the tables sparsely and the layer densely."""
    for part in optimizers:
        part.lr = rate
    optimizers.embedding.step(gradients.embedding.values, rows=gradients.embedding.rows)
    optimizers.softmax.step(gradients.softmax.values, rows=gradients.softmax.rows)
    optimizers.layer.step(gradients.layer)


def _point(settings, corpus, parameters, words, loss):
    """A point of the curve: epochs seen, mean loss since the last point, perplexity if watched."""
    finite = np.isfinite(loss)
    point = {
        "epoch": round(words / len(corpus.positions["train"]), 4),
        "loss": round(loss, 4) if finite else None,
    }
    if settings["watched_words"] and finite:
        seen = perplexity(settings, corpus, parameters, "validation", settings["watched_words"])
        point["perplexity"] = round(seen, 3) if np.isfinite(seen) else None
    return point
