"""Classification with very many classes: one direction a class, noise around it, Zipf frequencies.

A sample is its class's centre plus noise, and a constant 1, so that a class's weights and its bias
are one row of the table. Training sees sampled negatives, as in `analysis.problems.log_bilinear`:
its gradient has few rows. Accuracy is that of the full softmax.
"""

from typing import NamedTuple

import numpy as np

from analysis.problems.log_bilinear import LogUniform, Sparse


class Samples(NamedTuple):
    """Features (k, dim + 1), float32, the last one constant; labels (k,)."""

    features: np.ndarray
    labels: np.ndarray


class ZipfClasses:
    """Centres of classes, numbered by falling frequency, and samples around them.

    Parameters
    ----------
    classes, dim : int
    exponent : float
        Class k (from 1) has a frequency ∝ k^(−exponent).
    noise : float
        Length of the noise, against centres of length 1.
    generator : numpy.random.Generator
    """

    def __init__(self, classes, dim, exponent, noise, generator):
        centres = generator.standard_normal((classes, dim))
        self.centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        frequencies = np.arange(1, classes + 1) ** -float(exponent)
        self.frequencies = frequencies / frequencies.sum()
        self.noise = noise
        self.proposal = LogUniform(classes)

    def draw(self, count, generator):
        """Draw `Samples`."""
        classes, dim = self.centres.shape
        labels = generator.choice(classes, size=count, p=self.frequencies)
        features = np.ones((count, dim + 1), np.float32)
        noise = generator.standard_normal((count, dim)) * (self.noise / np.sqrt(dim))
        features[:, :dim] = self.centres[labels] + noise
        return Samples(features, labels)

    def gradient(self, table, batch, negatives, generator):
        """Return the mean sampled loss of a batch and its gradient, a `Sparse`.

        Parameters
        ----------
        table : ndarray, (classes, dim + 1)
        batch : Samples
        negatives : int
            Drawn for the whole batch; one that is a sample's own class is left out for it.
        generator : numpy.random.Generator
        """
        features, labels = batch
        drawn = self.proposal.negatives(generator, negatives)
        expected = self.proposal.log_expected(labels, negatives)
        own = np.einsum("bd,bd->b", features, table[labels]) - expected.astype(table.dtype)
        others = features @ table[drawn.words].T + drawn.correction.astype(table.dtype)
        others[labels[:, None] == drawn.words] = -np.inf
        top = np.maximum(own, others.max(axis=1))
        own_weight, weights = np.exp(own - top), np.exp(others - top[:, None])
        normaliser = own_weight + weights.sum(axis=1)
        loss = float(np.mean(np.log(normaliser) + top - own))
        weights /= normaliser[:, None] * len(labels)
        own_weight = (own_weight / normaliser - 1) / len(labels)
        rows = np.concatenate([labels, drawn.words])
        return loss, Sparse(
            rows, np.concatenate([own_weight[:, None] * features, weights.T @ features])
        )


def accuracy(table, samples, block=1024):
    """Return the share of samples whose class has the highest score of all."""
    right = 0
    for begin in range(0, len(samples.labels), block):
        features, labels = (part[begin : begin + block] for part in samples)
        right += int(((features @ table.T).argmax(axis=1) == labels).sum())
    return right / len(samples.labels)
