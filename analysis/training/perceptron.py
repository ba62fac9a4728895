"""One run of a perceptron on handwritten digits in PyTorch, from settings to figures.

Needs PyTorch: nothing imports this module before a run is made.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import sketchlab.torch as slt
from analysis.problems import digits
from analysis.training.loop import sequences, shuffled
from analysis.training.optimizers import stores


class Perceptron(nn.Module):
    """Linear layers with rectifiers between them.

    Weights are normal, of variance 2 / inputs (He et al. 2015), and kept as rows of ``block``
    neighbours, as the optimizer sees them; None: of a whole row (inputs, outputs).

    Parameters
    ----------
    generator : numpy.random.Generator
    sizes : sequence of int
    block : int or None
    """

    def __init__(self, generator, sizes, block=None):
        super().__init__()
        self.shapes = list(pairwise(sizes))
        weights = (
            (generator.standard_normal(shape) * np.sqrt(2 / shape[0])).astype(np.float32)
            for shape in self.shapes
        )
        self.weights = nn.ParameterList(
            torch.from_numpy(each if block is None else each.reshape(-1, block)) for each in weights
        )
        self.biases = nn.ParameterList(torch.zeros(outputs) for _, outputs in self.shapes)

    def forward(self, values):
        """Return the scores of the classes for pixels (k, inputs)."""
        for number, shape in enumerate(self.shapes):
            values = functional.relu(values) if number else values
            values = values @ self.weights[number].view(shape) + self.biases[number]
        return values


def measure(settings):
    """Train once and return the share of wrong answers on the split, and bytes of state.

    The ``score`` of a try is its cross-entropy, which is finer than the errors among a few
    hundred digits; that of a run is its share of errors. A run has diverged when its loss is no
    longer finite, or when it gets no more right than twice as many as a guess would.
    """
    deal, start, order, hashing = sequences(settings, 4)
    samples = {
        name: tuple(map(torch.from_numpy, part))
        for name, part in digits.split(np.random.default_rng(deal)).items()
    }
    model = Perceptron(np.random.default_rng(start), settings["layers"], settings["block"])
    weights, biases = optimizers_of(settings, model, hashing)
    _train(settings, model, (weights, biases), samples["train"], np.random.default_rng(order))
    loss, error = loss_and_error(model, *samples[settings["split"]])
    finite = math.isfinite(loss)
    score = loss if settings["split"] == "validation" else error
    return {
        "score": round(score, 5) if finite else None,
        "diverged": not (finite and 1 - error > 2 / digits.CLASSES),
        "accuracy": round(1 - error, 5),
        "state_bytes": weights.state_bytes().kept,
        "torch": torch.__version__,
    }


def optimizers_of(settings, model, hashing):
    """Return the optimizer of the weights, kept as the settings say, and that of the biases."""
    family, rate = getattr(slt, settings["family"]), settings["learning_rate"]
    seeds = iter(hashing.generate_state(len(settings["stores"]), "uint64").tolist())
    kept = stores(settings, seeds)
    return (
        family(model.weights.parameters(), rate, **settings["options"], **kept, min_numel=0),
        family(model.biases.parameters(), rate, **settings["options"]),
    )


def _train(settings, model, optimizers, samples, generator):
    """Take the steps of a run; it ends where the loss is not finite."""
    pixels, labels = samples
    batches = shuffled(len(labels), settings["batch"], generator)
    steps = settings["epochs"] * (len(labels) // settings["batch"])
    for number in range(steps):
        places = next(batches)
        model.zero_grad()
        loss = functional.cross_entropy(model(pixels[places]), labels[places])
        if not loss.isfinite():
            return
        loss.backward()
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = settings["learning_rate"] * (1 - number / steps)
            optimizer.step()


@torch.no_grad()
def loss_and_error(model, pixels, labels):
    """Return the mean cross-entropy and the share of wrong answers."""
    scores = model(pixels)
    loss = functional.cross_entropy(scores.double(), labels)
    return loss.item(), (scores.argmax(1) != labels).double().mean().item()
