"""MACH (Huang et al. 2018): many classes, told apart by a few classifiers of meta-classes.

Each of R classifiers hashes the K classes to B meta-classes by a strongly universal hash of its own
and learns to predict those: a hidden layer of rectified units over sparse features, and a softmax.
A class is scored by the mean, over the classifiers, of the probability of its meta-class.

As in Spring et al. 2019 (Table 10), the input table's gradient is sparse, since a batch has few of
the features, and the softmax's is dense: every meta-class is in every batch's denominator.
"""

from typing import NamedTuple

import numpy as np

from analysis.problems.log_bilinear import Sparse
from sketchlab.hashing import buckets, hash_constants


class Parameters(NamedTuple):
    """One classifier: input table (features, hidden) and output table (meta-classes, hidden)."""

    input: np.ndarray
    output: np.ndarray


class Gradients(NamedTuple):
    """The mean loss of a batch and its gradients: of some input rows, and of all output rows."""

    loss: float
    input: Sparse
    output: np.ndarray


def meta_classes(seed, classes, classifiers, buckets_each):
    """Return the meta-class of every class under every classifier, (classifiers, classes)."""
    return buckets(np.arange(classes), hash_constants(seed, classifiers), buckets_each)


def initialise(generator, features, hidden, outputs, dtype=np.float32):
    """Return fresh `Parameters`, Gaussian: features of length one give scores of about 0.2."""
    scales = 0.3, 1 / np.sqrt(hidden)
    sizes = (features, hidden), (outputs, hidden)
    tables = [generator.standard_normal(size, dtype) for size in sizes]
    for table, scale in zip(tables, scales):
        table *= dtype(scale)
    return Parameters(*tables)


def hidden_units(parameters, features):
    """Return the hidden layer's activations, (names, hidden)."""
    return np.maximum(features @ parameters.input, 0)


def gradients(parameters, features, targets):
    """Return the `Gradients` of the mean cross-entropy of some names and their meta-classes.

    Parameters
    ----------
    parameters : Parameters
    features : scipy.sparse.csr_array, (b, features)
    targets : ndarray of int, (b,)
    """
    hidden = hidden_units(parameters, features)
    weights, loss = _softmax(hidden @ parameters.output.T, targets)
    weights[np.arange(len(targets)), targets] -= 1
    weights /= len(targets)
    towards_hidden = weights @ parameters.output
    towards_hidden *= hidden > 0
    rows = np.flatnonzero(np.bincount(features.indices, minlength=features.shape[1]))
    values = features[:, rows].T @ towards_hidden
    return Gradients(loss, Sparse(rows, values), weights.T @ hidden)


def bytes_of_a_name(hidden, outputs):
    """Bytes that `gradients` takes for every name of a batch, in float32.

    One number for each meta-class; for each hidden unit the activation, before and after it is
    rectified, and the gradient towards it.
    """
    return 4 * (outputs + 3 * hidden)


def probabilities(parameters, features):
    """Return the probability of every meta-class for every name, (names, meta-classes)."""
    return _softmax(hidden_units(parameters, features) @ parameters.output.T)[0]


def _softmax(scores, targets=None):
    """Turn scores into probabilities in place; also return the targets' mean cross-entropy."""
    scores -= scores.max(axis=1, keepdims=True)
    of_targets = None if targets is None else scores[np.arange(len(targets)), targets]
    np.exp(scores, out=scores)
    total = scores.sum(axis=1, keepdims=True)
    scores /= total
    if targets is None:
        return scores, None
    return scores, float(np.mean(np.log(total[:, 0]) - of_targets))


def ranks(answers, members, labels):
    """Return how many classes score as high as the right one, itself included.

    A tie counts against the right class, so a model that knows nothing finds nothing.

    Parameters
    ----------
    answers : ndarray, (classifiers, names, meta-classes)
        From `probabilities`.
    members : ndarray of int, (classifiers, classes)
        From `meta_classes`.
    labels : ndarray of int, (names,)
        The right classes.

    Returns
    -------
    ndarray of int, (names,)
    """
    found = np.empty(len(labels), np.int64)
    for place, label in enumerate(labels):
        scores = np.take(answers[0, place], members[0])
        for answer, of_class in zip(answers[1:], members[1:]):
            scores += np.take(answer[place], of_class)
        found[place] = np.count_nonzero(~(scores < scores[label]))
    return found
