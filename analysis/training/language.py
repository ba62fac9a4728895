"""One run of the log-bilinear model with any optimizer, from settings to figures.

The two tables are updated sparsely. The position weights, 512 numbers, are trained densely by an
exact optimizer of the same family. The rate falls linearly to zero during a run.
"""

import numpy as np

from analysis.problems import corpus as text
from analysis.problems import log_bilinear as model
from analysis.training import optimizers as make

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
    return {
        **variant.settings(),
        "learning_rate": learning_rate,
        "steps": plan["sweep_steps" if trying else "steps"],
        "split": "validation" if trying else "test",
        "evaluated_words": plan["validation_words" if trying else "test_words"],
        "seed": plan["seed"],
        "replicate": replicate,
        **plan["common"],
    }


def cost(settings):
    """Time of a run, in steps; scoring 50 words takes about as long as one step."""
    words = settings["evaluated_words"] or settings["corpus"][settings["split"]]
    return settings["steps"] + words / 50


def measure(settings, inputs):
    """Train once and return the perplexity (``score``), the bytes of state and the losses.

    A run has diverged when its loss stops being finite, or when in the end it predicts worse
    than a guess among all words would.
    """
    corpus = text.load(inputs["corpus"])
    entropy = np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"],))
    start, order, hashing = entropy.spawn(3)
    counts = np.bincount(corpus.tokens[corpus.positions["train"]], minlength=len(corpus.words))
    parameters = model.initialise(np.random.default_rng(start), counts, settings["dim"])
    seeds = iter(hashing.generate_state(2 * len(settings["stores"])).tolist())
    optimizers = model.Parameters(
        make.optimizer(settings, parameters.embedding, seeds),
        make.optimizer(settings, parameters.softmax, seeds),
        make.exact(settings, parameters.position),
    )
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is reported, not warned of
        losses = _train(settings, corpus, parameters, optimizers, np.random.default_rng(order))
        perplexity = np.inf
        if np.isfinite(losses[-1]):
            places = corpus.sample(settings["split"], settings["evaluated_words"])
            perplexity = model.perplexity(parameters, corpus, places)
    return {
        "score": perplexity if np.isfinite(perplexity) else None,
        "diverged": not perplexity <= len(corpus.words),
        "state_bytes": optimizers.embedding.nbytes + optimizers.softmax.nbytes,
        "position_state_bytes": optimizers.position.nbytes,
        "losses": [round(loss, 4) if np.isfinite(loss) else None for loss in losses],
    }


def _train(settings, corpus, parameters, optimizers, generator):
    """Take the steps, at a rate that falls linearly to zero; return the mean loss of each 2 %."""
    places, samples = corpus.positions["train"], settings["samples"]
    proposal = model.LogUniform(len(corpus.words))
    part = max(1, settings["steps"] // 50)
    losses, recent = [], []
    for step in range(1, settings["steps"] + 1):
        batch = places[generator.integers(len(places), size=settings["batch"])]
        contexts, targets = corpus.windows(batch)
        negatives = proposal.negatives(generator, samples)
        expected = proposal.log_expected(targets, samples)
        gradients = model.gradients(parameters, contexts, targets, expected, negatives)
        recent.append(gradients.loss)
        if not np.isfinite(gradients.loss):
            return [*losses, gradients.loss]
        for optimizer in optimizers:
            optimizer.lr = settings["learning_rate"] * (1 - (step - 1) / settings["steps"])
        optimizers.embedding.step(gradients.embedding.values, rows=gradients.embedding.rows)
        optimizers.softmax.step(gradients.softmax.values, rows=gradients.softmax.rows)
        optimizers.position.step(gradients.position)
        if step % part == 0 or step == settings["steps"]:
            losses.append(float(np.mean(recent)))
            recent.clear()
    return losses
