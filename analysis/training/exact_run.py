"""The language model as an exact optimizer trains it: a stream of gradients to watch stores on."""

from typing import NamedTuple

import numpy as np

import sketchlab as sl
from analysis.problems import log_bilinear as model

TABLES = ("embedding", "softmax")
BATCH, SAMPLES = 256, 600


class Step(NamedTuple):
    """One step, taken already.

    Attributes
    ----------
    number : int
        Counted from 1.
    optimizers : Parameters
        One exact optimizer for each part of the model.
    gradients : dict
        For each of `TABLES` its distinct rows, ascending, and their gradients.
    """

    number: int
    optimizers: model.Parameters
    gradients: dict


def exact_run(corpus, make, rate, dim, steps, sequence, batch=BATCH, samples=SAMPLES):
    """Train the log-bilinear model at a fixed rate and yield every `Step`.

    Parameters
    ----------
    corpus : Corpus
    make : type
        The optimizer, such as `sketchlab.Adam`; its auxiliary variables are kept exactly.
    rate : float
    dim, steps : int
    sequence : numpy.random.SeedSequence
        Of the initial tables and of the batches: equal sequences give equal gradients.
    batch, samples : int
    """
    start, order = sequence.spawn(2)
    counts = np.bincount(corpus.tokens[corpus.positions["train"]], minlength=len(corpus.words))
    parameters = model.initialise(np.random.default_rng(start), counts, dim)
    optimizers = model.Parameters(*(make(table, rate) for table in parameters))
    generator, proposal = np.random.default_rng(order), model.LogUniform(len(corpus.words))
    for number in range(1, steps + 1):
        contexts, targets = corpus.windows(generator.choice(corpus.positions["train"], batch))
        gradients = model.gradients(
            parameters,
            contexts,
            targets,
            proposal.log_expected(targets, samples),
            proposal.negatives(generator, samples),
        )
        optimizers.position.step(gradients.position)
        sparse = {}
        for name in TABLES:
            rows, values = getattr(gradients, name)
            rows, values = sl.stores.coalesce(np.asarray(rows, np.int64), values)
            getattr(optimizers, name).step(values, rows=rows)
            sparse[name] = (rows, values)
        yield Step(number, optimizers, sparse)
