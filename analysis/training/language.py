"""One run of the log-bilinear model with one of the `variants`, from settings to figures."""

from dataclasses import replace

import numpy as np

import sketchlab as sl
from analysis.problems import corpus as text
from analysis.problems import log_bilinear as model
from analysis.training.variants import BY_NAME


def measure(settings, inputs):
    """Train once and return the perplexity, the bytes of state and the loss along the way.

    A run has diverged when its loss stops being finite, or when in the end it predicts worse
    than a guess among all words would.
    """
    corpus = text.load(inputs["corpus"])
    entropy = np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"],))
    start, order, hashing = entropy.spawn(3)
    counts = np.bincount(corpus.tokens[corpus.positions["train"]], minlength=len(corpus.words))
    parameters = model.initialise(np.random.default_rng(start), counts, settings["dim"])
    optimizers = _optimizers(settings, parameters, hashing)
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is reported, not warned of
        losses = _train(settings, corpus, parameters, optimizers, np.random.default_rng(order))
        perplexity = np.inf
        if np.isfinite(losses[-1]):
            places = corpus.sample(settings["split"], settings["evaluated_words"])
            perplexity = model.perplexity(parameters, corpus, places)
    return {
        "perplexity": perplexity if np.isfinite(perplexity) else None,
        "diverged": not perplexity <= len(corpus.words),
        "state_bytes": optimizers.embedding.nbytes + optimizers.softmax.nbytes,
        "position_state_bytes": optimizers.position.nbytes,
        "losses": [round(loss, 4) if np.isfinite(loss) else None for loss in losses],
    }


def _optimizers(settings, parameters, hashing):
    """One optimizer for each part of the model; every store of a table gets its own hash seed."""
    variant = BY_NAME[settings["variant"]]
    kinds = {name: store for name in "mv" if (store := getattr(variant, name)) is not None}
    seeds = iter(hashing.generate_state(2 * len(kinds)).tolist())
    make, rate = getattr(sl, variant.family), settings["learning_rate"]

    def sketched(table):
        return make(table, rate, **{name: _seeded(kinds[name], next(seeds)) for name in kinds})

    return model.Parameters(
        sketched(parameters.embedding),
        sketched(parameters.softmax),
        make(parameters.position, rate),
    )


def _seeded(store, seed):
    return replace(store, seed=seed) if hasattr(store, "seed") else store


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
