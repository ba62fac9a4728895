"""The log-bilinear language model (Mnih & Hinton 2007), its sampled loss and its perplexity.

A context of four words is the sum of their embeddings, each multiplied by the diagonal weights
of its position; a word's score is the inner product of that vector with the word's row of the
softmax table. The bias is that table's last column (the context vector gets a constant 1), so
that it is kept, and its optimizer state sketched, with the row that it belongs to.

Training sees ``samples`` negatives, drawn for the whole batch from a log-uniform proposal, and
subtracts the logarithm of each word's expected count from its score (Bengio & Senécal 2008).
Perplexity is that of the full softmax.
"""

from typing import NamedTuple

import numpy as np

from analysis.problems.corpus import CONTEXT


class Parameters(NamedTuple):
    """Embedding (V, d), softmax (V, d + 1, bias last) and position weights (CONTEXT, d)."""

    embedding: np.ndarray
    softmax: np.ndarray
    position: np.ndarray


class Negatives(NamedTuple):
    """Distinct negative words and, for each, log(times drawn / expected times drawn)."""

    words: np.ndarray
    correction: np.ndarray


class Sparse(NamedTuple):
    """Gradients (k, columns) of some rows of a table, in which rows may repeat."""

    rows: np.ndarray
    values: np.ndarray


class Gradients(NamedTuple):
    """The mean loss of a batch and its gradients for each of the `Parameters`."""

    loss: float
    embedding: Sparse
    softmax: Sparse
    position: np.ndarray


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


def initialise(generator, counts, dim, dtype=np.float32):
    """Return fresh `Parameters` for words seen `counts` times.

    Small Gaussian tables, position weights of one, and biases that predict by frequency alone.
    """
    size, scale = len(counts), 0.05
    embedding = (scale * generator.standard_normal((size, dim))).astype(dtype)
    softmax = (scale * generator.standard_normal((size, dim + 1))).astype(dtype)
    softmax[:, dim] = np.log((counts + 0.1) / np.sum(counts + 0.1))
    return Parameters(embedding, softmax, np.ones((CONTEXT, dim), dtype))


def context_vectors(parameters, contexts):
    """Return the gathered embeddings (b, CONTEXT, d) and the context vectors (b, d + 1)."""
    gathered = np.take(parameters.embedding, contexts, axis=0)
    batch, _, dim = gathered.shape
    hidden = np.ones((batch, dim + 1), gathered.dtype)
    np.einsum("bcd,cd->bd", gathered, parameters.position, out=hidden[:, :dim])
    return gathered, hidden


def gradients(parameters, contexts, targets, target_log_expected, negatives):
    """Return the mean sampled loss of a batch and its gradients.

    A negative that is the target of an example is left out for that example.
    """
    embedding, softmax, position = parameters
    dtype, batch, dim = embedding.dtype, len(targets), embedding.shape[1]
    gathered, hidden = context_vectors(parameters, contexts)
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
    hidden_gradient = hidden_gradient[:, :dim]
    return Gradients(
        loss,
        Sparse(contexts.ravel(), (hidden_gradient[:, None] * position).reshape(-1, dim)),
        Sparse(
            np.concatenate([targets, negatives.words]),
            np.concatenate([target_weights[:, None] * hidden, weights.T @ hidden]),
        ),
        np.einsum("bd,bcd->cd", hidden_gradient, gathered),
    )


def perplexity(parameters, corpus, positions, block=512):
    """Return the full-softmax perplexity over the given positions of a corpus."""
    total = 0.0
    for begin in range(0, len(positions), block):
        contexts, targets = corpus.windows(positions[begin : begin + block])
        _, hidden = context_vectors(parameters, contexts)
        scores = hidden @ parameters.softmax.T
        of_target = scores[np.arange(len(targets)), targets]
        top = scores.max(axis=1)
        scores -= top[:, None]
        np.exp(scores, out=scores)
        total += float(np.sum(np.log(scores.sum(axis=1)) + top - of_target, dtype=np.float64))
    with np.errstate(over="ignore"):
        return float(np.exp(total / len(positions)))
