"""The log-bilinear language model (Mnih & Hinton 2007), its gradients and its perplexity.

A context of four words is the sum of their embeddings, each multiplied by the diagonal weights
of its position; a word's score is the inner product of that vector with the word's row of the
softmax table. The bias is that table's last column (the context vector gets a constant 1), so
that it is kept, and its optimizer state sketched, with the row that it belongs to.

Training sees a sampled loss, perplexity is that of the full softmax (`sampled_softmax`).
"""

from typing import NamedTuple

import numpy as np

from analysis.problems.corpus import CONTEXT
from analysis.problems.sampled_softmax import (
    LogUniform,
    Negatives,
    Sparse,
    frequency_biases,
    full_loss,
    sampled_loss,
)

__all__ = [
    "Gradients",
    "LogUniform",
    "Negatives",
    "Parameters",
    "Sparse",
    "context_vectors",
    "gradients",
    "initialise",
    "perplexity",
]


class Parameters(NamedTuple):
    """Embedding (V, d), softmax (V, d + 1, bias last) and position weights (CONTEXT, d)."""

    embedding: np.ndarray
    softmax: np.ndarray
    position: np.ndarray


class Gradients(NamedTuple):
    """The mean loss of a batch and its gradients for each of the `Parameters`."""

    loss: float
    embedding: Sparse
    softmax: Sparse
    position: np.ndarray


def initialise(generator, counts, dim, dtype=np.float32):
    """Return fresh `Parameters` for words seen `counts` times.

    Small Gaussian tables, position weights of one, and biases that predict by frequency alone.
    """
    size, scale = len(counts), 0.05
    embedding = (scale * generator.standard_normal((size, dim))).astype(dtype)
    softmax = (scale * generator.standard_normal((size, dim + 1))).astype(dtype)
    softmax[:, dim] = frequency_biases(counts)
    return Parameters(embedding, softmax, np.ones((CONTEXT, dim), dtype))


def context_vectors(parameters, contexts):
    """Return the gathered embeddings (b, CONTEXT, d) and the context vectors (b, d + 1)."""
    gathered = np.take(parameters.embedding, contexts, axis=0)
    batch, _, dim = gathered.shape
    hidden = np.ones((batch, dim + 1), gathered.dtype)
    np.einsum("bcd,cd->bd", gathered, parameters.position, out=hidden[:, :dim])
    return gathered, hidden


def gradients(parameters, contexts, targets, target_log_expected, negatives):
    """Return the mean sampled loss of a batch and its gradients; see `sampled_loss`."""
    embedding, softmax, position = parameters
    gathered, hidden = context_vectors(parameters, contexts)
    sampled = sampled_loss(softmax, hidden, targets, target_log_expected, negatives)
    of_embeddings = sampled.hidden[:, None] * position
    return Gradients(
        sampled.loss,
        Sparse(contexts.ravel(), of_embeddings.reshape(-1, embedding.shape[1])),
        sampled.softmax,
        np.einsum("bd,bcd->cd", sampled.hidden, gathered),
    )


def perplexity(parameters, corpus, positions, block=512):
    """Return the full-softmax perplexity over the given positions of a corpus."""
    total = 0.0
    for begin in range(0, len(positions), block):
        contexts, targets = corpus.windows(positions[begin : begin + block])
        _, hidden = context_vectors(parameters, contexts)
        total += full_loss(parameters.softmax, hidden, targets)
    with np.errstate(over="ignore"):
        return float(np.exp(total / len(positions)))
