"""One run of the LM1B set-up in PyTorch with one optimizer, from settings to figures.

Needs PyTorch: nothing imports this module before a run is made.
"""

import math
import warnings

import numpy as np
import torch

import sketchlab as sl
import sketchlab.torch as slt
from analysis.problems import lstm_model
from analysis.problems.sampled_lstm import SampledModel
from analysis.problems.sampled_softmax import LogUniform, frequency_biases
from analysis.problems.split_text import streams
from analysis.training import lm1b
from analysis.training.loop import plain, sequences
from analysis.training.neural import embedding_optimizer, gradients_of, mean_loss, seeded

#: Layers smaller than this are kept exactly where all parts are sketched.
MIN_NUMEL = 4096


def measure(settings, text):
    """Train once and return the perplexity, the bytes of state and the curve, epoch by epoch.

    A run has diverged when its loss stops being finite, or when it predicts worse than a guess
    among all words would.
    """
    start, order, hashing = sequences(settings, 3)
    device = torch.device(settings["device"])
    with seeded(start, device), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
        return _Run(settings, text, device, order, hashing).result()


def gradients(settings, text):
    """Train; yield rows and values of each table's gradient after every step, a list of pairs.

    As `analysis.training.neural.gradients`.
    """
    start, order, hashing = sequences(settings, 3)
    device = torch.device(settings["device"])
    with seeded(start, device), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
        run = _Run(settings, text, device, order, hashing)
        yield from gradients_of(run, [getattr(run.model, name).weight for name in lm1b.TABLES])


class _Run:
    def __init__(self, settings, text, device, order, hashing):
        self.settings, self.vocabulary, self.device = settings, text.vocabulary, device
        self.parts = {
            name: torch.from_numpy(streams(words, settings["batch"]).astype("int64")).to(device)
            for name, words in text.parts.items()
        }
        counts = np.bincount(text.parts["train"], minlength=text.vocabulary)
        biases = frequency_biases(counts).astype(np.float32)
        model = SampledModel(biases, settings["dim"], settings["width"], lm1b.DECODED)
        self.model = model.to(device)
        self.proposal, self.generator = LogUniform(text.vocabulary), np.random.default_rng(order)
        self.optimizers = list(optimizers(settings, self.model, hashing))
        self.step, self.active = 0, dict.fromkeys(lm1b.TABLES, 0)

    def result(self):
        """Train, and return what is to be known of it."""
        points = list(self._epochs())
        score = points[-1]["perplexity"]
        if score is not None and self.settings["split"] == "test":
            score = plain(self._perplexity("test"), 4)
        return {
            "score": score,
            "diverged": score is None or not score <= self.vocabulary,
            "state_bytes": sum(map(bytes_of, self.optimizers)),
            "steps": self.step,
            "active_rows": {name: rows / self.step for name, rows in self.active.items()},
            "curve": {name: [point[name] for point in points] for name in points[0]},
            "torch": torch.__version__,
        }

    def _epochs(self):
        """Train; yield a point of the curve after every epoch, until one is not finite."""
        for epoch in range(1, self.settings["epochs"] + 1):
            loss = mean_loss(self)
            seen = self._perplexity("validation") if math.isfinite(loss) else math.inf
            yield {"epoch": epoch, "loss": plain(loss, 4), "perplexity": plain(seen, 4)}
            if not math.isfinite(seen):
                return

    def steps(self):
        """Take the steps of an epoch; yield the loss of each, and how many words it is the mean of.

        Ends before a step whose loss, or gradient, is not finite.
        """
        state = None
        for words, targets in lstm_model.segments(self.parts["train"], self.settings["segment"]):
            loss, state = self._backward(words, targets.flatten(), state)
            norms = [
                slt.clip_grad_norm_(getattr(self.model, part).parameters(), limit)
                for part, limit in dict.fromkeys(lm1b.PARTS, self.settings["clip_norm"]).items()
            ]
            self.finite = all(map(math.isfinite, (loss, *norms)))
            if not self.finite:
                return
            self._move()
            yield loss, targets.numel()

    def _backward(self, words, targets, state):
        """Compute the gradients of the sampled loss of a segment; return it and the state."""
        self.model.zero_grad()
        count = self.settings["samples"]
        negatives = self.proposal.negatives(self.generator, count)
        expected = self.proposal.log_expected(targets.cpu().numpy(), count)
        features, state = self.model(words, state)
        loss = self.model.sampled_loss(
            features,
            targets,
            torch.from_numpy(expected).to(features),
            torch.from_numpy(negatives.words).to(targets),
            torch.from_numpy(negatives.correction).to(features),
        )
        loss.backward()
        return loss.item(), tuple(each.detach() for each in state)

    def _move(self):
        """Take a step of all optimizers at the rate of its place in the run."""
        rate = self.settings["learning_rate"] * (1 - self.step / lm1b.steps(self.settings))
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        self.step += 1
        for name in self.active:
            self.active[name] += len(getattr(self.model, name).weight.grad._values())

    def _perplexity(self, part):
        return lstm_model.perplexity(self.model, self.parts[part], self.settings["segment"])


def optimizers(settings, model, hashing):
    """Yield the optimizers: of what is kept as the settings say, of other tables, of layers."""
    rate, sketched = settings["learning_rate"], settings["sketched"]
    groups = [
        {
            "params": list(getattr(model, part).parameters()),
            "min_numel": 0 if part in lm1b.TABLES else MIN_NUMEL,
        }
        for part in sketched
    ]
    yield embedding_optimizer(settings, groups, hashing)
    lazy = sl.Dense(decay="lazy")
    others = [getattr(model, part).weight for part in lm1b.TABLES if part not in sketched]
    if others:
        yield slt.Adam(others, rate, m=lazy, v=lazy, min_numel=0)
    if "layers" not in sketched:
        yield torch.optim.Adam(model.layers.parameters(), rate)


def bytes_of(optimizer):
    """The bytes of an optimizer's auxiliary variables, of this library or of PyTorch."""
    if isinstance(optimizer, slt.Optimizer):
        return optimizer.state_bytes().kept
    states = (each for state in optimizer.state.values() for each in state.values())
    return sum(each.nbytes for each in states if each.dim())  # without counts of steps
