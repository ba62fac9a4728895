"""One run of the log-bilinear model with any optimizer, from settings to figures.

The two tables are updated sparsely. The position weights, 512 numbers, are trained densely by an
exact optimizer of the same family. The rate falls linearly to zero during a run.
"""

import numpy as np

from analysis.problems import corpus as text
from analysis.problems import log_bilinear as model
from analysis.training.loop import Begun, Losses, may_diverge, optimizers_of, sequences, train
from analysis.training.variants import settings_of

DIM = 128
BATCH = 256
SAMPLES = 600
BASE_RATES = {"Momentum": 1.0, "Adagrad": 0.1, "Adam": 4e-3, "RMSprop": 4e-3}


def constants(path):
    """What all runs on a text have in common, as plain values."""
    summary = text.load(path).summary()
    return {"corpus": summary, "dim": DIM, "batch": BATCH, "samples": SAMPLES}


def settings(plan, variant, learning_rate, replicate):
    """Return the settings of a run: of a try, judged on validation text, for replicate 0.

    `plan` has the steps and the words evaluated of a run and of a try, the seed and, under
    ``common``, the `constants`.
    """
    trying = replicate == 0
    return settings_of(plan, variant, learning_rate, replicate) | {
        "steps": plan["sweep_steps" if trying else "steps"],
        "evaluated_words": plan["validation_words" if trying else "test_words"],
    }


def cost(settings):
    """Time of a run, in steps; scoring 50 words takes about as long as one step."""
    words = settings["evaluated_words"] or settings["corpus"][settings["split"]]
    return settings["steps"] + words / 50


def begin(settings, inputs):
    """Return the run of some settings before its first step."""
    corpus = text.load(inputs["corpus"])
    start, order, hashing = sequences(settings, 3)
    parameters = fresh(corpus, settings["dim"], start)
    optimizers = optimizers_of(settings, hashing, parameters[:2], parameters[2:])
    gradient = gradients(corpus, parameters, order, settings["batch"], settings["samples"])
    return Begun(parameters, optimizers, gradient, tables=2)


@may_diverge()
def measure(settings, inputs):
    """Train once and return the perplexity (``score``), the bytes of state and the losses.

    A run has diverged when its loss stops being finite, or when in the end it predicts worse
    than a guess among all words would.
    """
    corpus = text.load(inputs["corpus"])
    parameters, optimizers, gradient, _ = begin(settings, inputs)
    losses, perplexity = Losses(settings["steps"], 50), np.inf
    for step in train(optimizers, gradient, settings["steps"], settings["learning_rate"]):
        losses.add(step)
    if losses.finite:
        places = corpus.sample(settings["split"], settings["evaluated_words"])
        perplexity = model.perplexity(parameters, corpus, places)
    embedding, softmax, position = (optimizer.nbytes for optimizer in optimizers)
    return {
        "score": perplexity if np.isfinite(perplexity) else None,
        "diverged": not perplexity <= len(corpus.words),
        "state_bytes": embedding + softmax,
        "position_state_bytes": position,
        "losses": losses.plain(),
    }


def fresh(corpus, dim, sequence):
    """Return the parameters that a run begins with."""
    counts = np.bincount(corpus.tokens[corpus.positions["train"]], minlength=len(corpus.words))
    return model.initialise(np.random.default_rng(sequence), counts, dim)


def gradients(corpus, parameters, sequence, batch, samples):
    """Return ``gradient()``, each time of another batch of the training text."""
    generator, proposal = np.random.default_rng(sequence), model.LogUniform(len(corpus.words))
    places = corpus.positions["train"]

    def gradient():
        drawn = places[generator.integers(len(places), size=batch)]
        contexts, targets = corpus.windows(drawn)
        negatives = proposal.negatives(generator, samples)
        expected = proposal.log_expected(targets, samples)
        return model.gradients(parameters, contexts, targets, expected, negatives)

    return gradient
