"""A recurrent language model: one LSTM layer (Hochreiter & Schmidhuber 1997) between two tables.

The forget gate (Gers et al. 2000) starts open. Text is read as parallel streams, cut into segments;
gradients do not reach back beyond a segment, its state does reach forward into the next (truncated
back-propagation through time). Arrays have time first. Training sees a sampled loss, perplexity is
that of the full softmax (`sampled_softmax`).
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from analysis.problems.sampled_softmax import Sparse, frequency_biases, full_loss, sampled_loss


class Parameters(NamedTuple):
    """Embedding (V, d), softmax (V, h + 1, bias last) and the layer's weights (d + h + 1, 4h).

    Rows of the layer: for the input, for the previous output, and the bias. Columns: candidate,
    input gate, forget gate, output gate.
    """

    embedding: np.ndarray
    softmax: np.ndarray
    layer: np.ndarray


class Gradients(NamedTuple):
    """The mean loss of a segment and its gradients for the `Parameters`, sparse rows distinct."""

    loss: float
    embedding: Sparse
    softmax: Sparse
    layer: np.ndarray


class State(NamedTuple):
    """What a segment hands to the next: output and cell, (streams, h) each."""

    output: np.ndarray
    cell: np.ndarray


class Trace(NamedTuple):
    """What the layer computed in a segment, and from what.

    `inputs` (t, b, d); `activations` (t, b, 4h), in the order of the layer's columns; `outputs`
    and `cells` (t + 1, b, h), the first of each being the state before; `squashed` (t, b, h), the
    hyperbolic tangents of the cells.
    """

    inputs: np.ndarray
    activations: np.ndarray
    outputs: np.ndarray
    cells: np.ndarray
    squashed: np.ndarray

    @property
    def state(self):
        """The state after the segment."""
        return State(self.outputs[-1], self.cells[-1])

    @property
    def hidden(self):
        """The outputs as vectors for the softmax table, (t · b, h + 1), each with a constant 1."""
        outputs = self.outputs[1:].reshape(-1, self.outputs.shape[2])
        return np.concatenate([outputs, np.ones((len(outputs), 1), outputs.dtype)], axis=1)


class Streams(NamedTuple):
    """Text as parallel streams: each word (length, streams) and the one that follows it."""

    words: np.ndarray
    targets: np.ndarray

    def segments(self, length):
        """Return consecutive segments; the last may be shorter."""
        starts = range(0, len(self.words), length)
        return [Streams(*(array[t : t + length] for array in self)) for t in starts]

    def first(self, words):
        """Return the beginnings of all streams, `words` words in all, or everything for None."""
        length = None if words is None else max(1, words // self.words.shape[1])
        return Streams(*(array[:length] for array in self))


def streams(tokens, positions, count):
    """Cut the text that is to be predicted into `Streams` of equal length; a rest is left out."""
    length = len(positions) // count
    places = positions[: count * length].reshape(count, length).T
    return Streams(tokens[places - 1], tokens[places])


def initialise(generator, counts, dim, width, dtype=np.float32):
    """Return fresh `Parameters` for words seen `counts` times, d = `dim` and h = `width`.

    Small Gaussian tables whose biases predict by frequency alone, uniform weights of the layer.
    """
    size, scale, bound = len(counts), 0.05, width**-0.5
    embedding = (scale * generator.standard_normal((size, dim))).astype(dtype)
    softmax = (scale * generator.standard_normal((size, width + 1))).astype(dtype)
    softmax[:, width] = frequency_biases(counts)
    layer = generator.uniform(-bound, bound, (dim + width + 1, 4 * width)).astype(dtype)
    layer[-1] = 0
    layer[-1, 2 * width : 3 * width] = 1
    return Parameters(embedding, softmax, layer)


def rest(parameters, count):
    """Return the state before any text, all zeros."""
    shape = (count, parameters.layer.shape[1] // 4)
    return State(np.zeros(shape, parameters.layer.dtype), np.zeros(shape, parameters.layer.dtype))


def forward(parameters, words, state):
    """Run the layer over a segment of words (t, b) and return its `Trace`."""
    inputs = np.take(parameters.embedding, words, axis=0)
    of_input, of_output, bias = _parts(parameters)
    steps, width = len(words), len(of_output)
    activations = (_flat(inputs) @ of_input + bias).reshape(*words.shape, 4 * width)
    outputs, cells = (
        np.concatenate([part[None], np.empty((steps, *part.shape), part.dtype)]) for part in state
    )
    squashed = np.empty_like(cells[1:])
    for t in range(steps):
        active = activations[t]
        active += outputs[t] @ of_output
        candidate, gates = active[:, :width], active[:, width:]
        np.tanh(candidate, out=candidate)
        _sigmoid(gates)
        enter, keep, leave = np.split(gates, 3, axis=1)
        cells[t + 1] = keep * cells[t] + enter * candidate
        np.tanh(cells[t + 1], out=squashed[t])
        outputs[t + 1] = leave * squashed[t]
    return Trace(inputs, activations, outputs, cells, squashed)


def _parts(parameters):
    """Views of the layer: rows for the input (d, 4h), for the previous output (h, 4h), the bias."""
    dim = parameters.embedding.shape[1]
    return parameters.layer[:dim], parameters.layer[dim:-1], parameters.layer[-1]


def _sigmoid(x):
    """Replace x by 1 / (1 + exp(-x)), without overflow."""
    x *= 0.5
    np.tanh(x, out=x)
    x += 1
    x *= 0.5


def backward(parameters, trace, output_gradient):
    """Return the gradients of the scores before their activations, (t, b, 4h).

    `output_gradient` (t, b, h) is that of the loss for each output, the way through later words
    of the segment left out.
    """
    of_output = _parts(parameters)[1]
    steps, batch, width = output_gradient.shape
    candidate, enter, keep, leave = np.split(trace.activations, 4, axis=2)
    slope = trace.activations * (1 - trace.activations)
    slope[:, :, :width] = 1 - candidate**2
    # By what the gradient for a cell is multiplied on its way to candidate, input and forget score.
    from_cell = slope[:, :, : 3 * width].reshape(steps, batch, 3, width)
    from_cell *= np.stack([enter, candidate, trace.cells[:-1]], axis=2)
    from_output = slope[:, :, 3 * width :] * trace.squashed
    to_cell = leave * (1 - trace.squashed**2)

    scores = np.empty_like(trace.activations)
    from_later, cell = np.zeros_like(trace.cells[0]), np.zeros_like(trace.cells[0])
    for t in reversed(range(steps)):
        output = output_gradient[t] + from_later
        cell += output * to_cell[t]
        parts = scores[t].reshape(batch, 4, width)
        np.multiply(cell[:, None], from_cell[t], out=parts[:, :3])
        np.multiply(output, from_output[t], out=parts[:, 3])
        from_later = scores[t] @ of_output.T
        cell *= keep[t]
    return scores


def gradients(parameters, segment, state, target_log_expected, negatives):
    """Return the mean sampled loss of a segment, its gradients, and the state after it."""
    trace = forward(parameters, segment.words, state)
    sampled = sampled_loss(
        parameters.softmax,
        trace.hidden,
        segment.targets.ravel(),
        target_log_expected.ravel(),
        negatives,
    )
    scores = backward(parameters, trace, sampled.hidden.reshape(trace.squashed.shape))
    flat = scores.reshape(-1, scores.shape[2])
    layer = np.concatenate(
        [
            _flat(trace.inputs).T @ flat,
            _flat(trace.outputs[:-1]).T @ flat,
            flat.sum(axis=0, keepdims=True),
        ]
    )
    embedding = Sparse(segment.words.ravel(), flat @ _parts(parameters)[0].T)
    found = Gradients(sampled.loss, summed(embedding), summed(sampled.softmax), layer)
    return found, trace.state


def _flat(array):
    return array.reshape(-1, array.shape[-1])


def summed(gradient):
    """Return a sparse gradient with each of its rows once."""
    rows, place = np.unique(gradient.rows, return_inverse=True)
    count = len(gradient.rows)
    ones = np.ones(count, gradient.values.dtype)
    collect = sparse.csr_array((ones, (place, np.arange(count))), shape=(len(rows), count))
    return Sparse(rows, collect @ gradient.values)


def perplexity(parameters, text, length):
    """Return the full-softmax perplexity over all `Streams` of a text, read from rest."""
    state, total = rest(parameters, text.words.shape[1]), 0.0
    for segment in text.segments(length):
        trace = forward(parameters, segment.words, state)
        total += full_loss(parameters.softmax, trace.hidden, segment.targets.ravel())
        state = trace.state
    with np.errstate(over="ignore"):
        return float(np.exp(total / text.targets.size))
