"""The language model as an exact optimizer trains it: a stream of gradients to watch stores on."""

from typing import NamedTuple

import numpy as np

import sketchlab as sl
from analysis.problems import log_bilinear as model
from analysis.training import language
from analysis.training.loop import train

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
    parameters = language.fresh(corpus, dim, start)
    optimizers = model.Parameters(*(make(table, rate) for table in parameters))
    drawn = language.gradients(corpus, parameters, order, batch, samples)

    def gradient():
        loss, *tables, position = drawn()
        return loss, *map(_distinct, tables), position

    for step in train(optimizers, gradient, steps):
        yield Step(step.number, optimizers, dict(zip(TABLES, step.gradients)))


def _distinct(gradient):
    rows = np.asarray(gradient.rows, np.int64)
    return model.Sparse(*sl.stores.coalesce(rows, gradient.values))
