"""One run of the masked language model in PyTorch with one optimizer.

Needs PyTorch: nothing imports this module before a run is made.
"""

import math
import warnings

import numpy as np
import torch
from torch.nn import functional

import sketchlab.torch as slt
from analysis.problems.masked_model import MaskedModel
from analysis.training.loop import Losses, Step, plain, sequences, shuffled
from analysis.training.neural import seeded
from analysis.training.optimizers import stores
from sketchlab.errors import StoreSizeWarning

#: Hides the same words in every evaluation.
_SEED = 0
PARTS = 10


def measure(settings, text):
    """Train once; return the perplexity of hidden words, the bytes of state and the losses.

    A run has diverged when its loss stops being finite, or when it predicts worse than a guess
    among all words would.
    """
    start, order, hashing = sequences(settings, 3)
    with seeded(start, torch.device("cpu")):
        shape = (settings[name] for name in ("dim", "heads", "layers", "length"))
        model = MaskedModel(text.vocabulary, *shape)
    with warnings.catch_warnings():  # of vectors, whose exact state may have row weights
        warnings.simplefilter("ignore", StoreSizeWarning)
        optimizer = optimizer_of(settings, model.parameters(), hashing)
        losses = _train(settings, text, model, optimizer, np.random.default_rng(order))
    words = _sequences(text.parts[settings["split"]], settings)
    score = perplexity(model, words, settings) if losses.finite else math.inf
    return {
        "score": plain(score, 4),
        "diverged": not score <= text.vocabulary,
        "state_bytes": optimizer.state_bytes().kept,
        "losses": losses.plain(),
        "torch": torch.__version__,
    }


def optimizer_of(settings, parameters, hashing):
    """Return the optimizer of all parameters; small ones are kept exactly."""
    kept = stores(settings, iter(hashing.generate_state(2, "uint64").tolist()))
    family = getattr(slt, settings["family"])
    return family(parameters, settings["learning_rate"], **settings["options"], **kept)


def _train(settings, text, model, optimizer, generator):
    """Take the steps of a run; return its mean losses."""
    words = _sequences(text.parts["train"], settings)
    batches = shuffled(len(words), settings["batch"], generator)
    steps = settings["epochs"] * (len(words) // settings["batch"])
    losses = Losses(steps, PARTS)
    for number in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = settings["learning_rate"] * (1 - (number - 1) / steps)
        optimizer.zero_grad()
        chosen = words[next(batches)]
        loss = loss_of(model, chosen, hidden_places(chosen, settings["hidden"], generator))
        loss.backward()
        norm = slt.clip_grad_norm_(model.parameters(), settings["clip_norm"])
        step = Step(number, loss.item() if norm.isfinite() else math.inf, [])
        losses.add(step)
        if not step.finite:
            break
        optimizer.step()
    return losses


def loss_of(model, words, hidden, reduction="mean"):
    """Return the cross-entropy of the hidden words."""
    return functional.cross_entropy(model(words, hidden), words[hidden], reduction=reduction)


def hidden_places(words, share, generator):
    """Draw which words of each sequence are hidden: as many of each, one at least."""
    batch, length = words.shape
    count = max(1, round(share * length))
    places = generator.random((batch, length)).argsort(1)[:, :count]
    hidden = torch.zeros(batch, length, dtype=torch.bool)
    return hidden.scatter_(1, torch.from_numpy(places), True)


@torch.no_grad()
def perplexity(model, words, settings):
    """Return the perplexity of hidden words in sequences; the same are hidden in every call."""
    generator = np.random.default_rng(_SEED)
    total = count = 0
    for part in words.split(settings["batch"]):
        hidden = hidden_places(part, settings["hidden"], generator)
        total += loss_of(model, part, hidden, "sum").item()
        count += int(hidden.sum())
    return math.exp(total / count) if total / count < 700 else math.inf


def _sequences(words, settings):
    """Cut a part of the text into sequences (number, length)."""
    number = len(words) // settings["length"]
    cut = words[: number * settings["length"]].reshape(number, -1)
    return torch.from_numpy(cut.astype(np.int64))
