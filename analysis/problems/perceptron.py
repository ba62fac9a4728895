"""A multi-layer perceptron: dense layers with rectifiers between them, softmax at the end."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Layer(NamedTuple):
    """Weights (inputs, outputs) and biases (outputs,); or their gradients."""

    weights: np.ndarray
    biases: np.ndarray


def initialise(generator, sizes, dtype=np.float32):
    """Return layers of the given sizes: normal weights of variance 2 / inputs, no biases.

    He et al. (2015).
    """
    return [
        Layer(
            (generator.standard_normal((a, b)) * np.sqrt(2 / a)).astype(dtype), np.zeros(b, dtype)
        )
        for a, b in pairwise(sizes)
    ]


def activations(layers, inputs):
    """Return the inputs of every layer and, last, the log-probabilities of the classes."""
    values = [inputs]
    for number, (weights, biases) in enumerate(layers, 1):
        outputs = values[-1] @ weights + biases
        values.append(np.maximum(outputs, 0) if number < len(layers) else _log_softmax(outputs))
    return values


def _log_softmax(scores):
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def loss_and_error(layers, inputs, labels):
    """Return the mean cross-entropy and the share of wrong answers."""
    log_probabilities = activations(layers, inputs)[-1]
    of_label = log_probabilities[np.arange(len(labels)), labels]
    wrong = log_probabilities.argmax(axis=1) != labels
    return float(-of_label.mean(dtype=np.float64)), float(wrong.mean())


def gradients(layers, inputs, labels):
    """Return the mean cross-entropy of a batch and a `Layer` of gradients for each layer."""
    *hidden, log_probabilities = activations(layers, inputs)
    every = np.arange(len(labels))
    loss = float(-log_probabilities[every, labels].mean())
    slopes = np.exp(log_probabilities)
    slopes[every, labels] -= 1
    slopes /= len(labels)
    found = []
    for values, (weights, _) in zip(hidden[::-1], layers[::-1]):
        found.append(Layer(values.T @ slopes, slopes.sum(axis=0)))
        slopes = (slopes @ weights.T) * (values > 0)
    return loss, found[::-1]
