"""A softmax over many words: the sampled loss that trains it and the full one that judges it.

Training sees some negatives, drawn for the whole batch from a log-uniform proposal, and subtracts
the logarithm of each word's expected count from its score (Bengio & Senécal 2008). Perplexity is
that of the full softmax. The bias of a word is the last column of its row; a hidden vector ends
in a constant 1.
"""

from typing import NamedTuple

import numpy as np


class Sparse(NamedTuple):
    """Gradients (k, columns) of some rows of a table, in which rows may repeat."""

    rows: np.ndarray
    values: np.ndarray


class Negatives(NamedTuple):
    """Distinct negative words and, for each, log(times drawn / expected times drawn)."""

    words: np.ndarray
    correction: np.ndarray


class SampledLoss(NamedTuple):
    """The mean loss of a batch, its gradient for the hidden vectors (b, d) and for the table."""

    loss: float
    hidden: np.ndarray
    softmax: Sparse


class LogUniform:
    """P(word k) = log((k + 2) / (k + 1)) / log(V + 1) over words sorted by frequency."""

    def __init__(self, size):
        self.size = size
        ranks = np.arange(size, dtype=np.float64)
        self.probabilities = np.log1p(1 / (ranks + 1)) / np.log(size + 1)

    def draw(self, generator, count):
        """Draw ``count`` words with replacement, by inverting the distribution function."""
        words = np.exp(generator.random(count) * np.log(self.size + 1)).astype(np.int64) - 1
        return np.minimum(words, self.size - 1)

    def negatives(self, generator, count):
        """Draw a batch's `Negatives`; equal draws become one word with the weight of both."""
        words, times = np.unique(self.draw(generator, count), return_counts=True)
        return Negatives(words, np.log(times / (count * self.probabilities[words])))

    def log_expected(self, words, count):
        """Return the log of how often each word is expected among ``count`` draws."""
        return np.log(count * self.probabilities[words])


def frequency_biases(counts):
    """Return the biases that predict words seen ``counts`` times by their frequency alone."""
    return np.log((counts + 0.1) / np.sum(counts + 0.1))


def sampled_loss(softmax, hidden, targets, target_log_expected, negatives):
    """Return the `SampledLoss` of hidden vectors (b, d + 1) that are to predict the targets (b,).

    A negative that is the target of an example is left out for that example.
    """
    dtype, batch = softmax.dtype, len(targets)
    target_rows = np.take(softmax, targets, axis=0)
    negative_rows = np.take(softmax, negatives.words, axis=0)

    target_scores = np.einsum("bd,bd->b", hidden, target_rows) - target_log_expected.astype(dtype)
    scores = hidden @ negative_rows.T + negatives.correction.astype(dtype)
    scores[targets[:, None] == negatives.words] = -np.inf

    top = np.maximum(scores.max(axis=1), target_scores)
    weights = np.exp(scores - top[:, None])
    target_weights = np.exp(target_scores - top)
    total = weights.sum(axis=1) + target_weights
    loss = float(np.mean(np.log(total) + top - target_scores))

    weights /= (batch * total)[:, None]
    target_weights = (target_weights / total - 1) / batch
    hidden_gradient = weights @ negative_rows + target_weights[:, None] * target_rows
    table_gradient = Sparse(
        np.concatenate([targets, negatives.words]),
        np.concatenate([target_weights[:, None] * hidden, weights.T @ hidden]),
    )
    return SampledLoss(loss, hidden_gradient[:, :-1], table_gradient)


def full_loss(softmax, hidden, targets):
    """Return the loss, summed over a batch, of the softmax over all words."""
    scores = hidden @ softmax.T
    of_target = scores[np.arange(len(targets)), targets]
    top = scores.max(axis=1)
    scores -= top[:, None]
    np.exp(scores, out=scores)
    return float(np.sum(np.log(scores.sum(axis=1)) + top - of_target, dtype=np.float64))
