"""One run of a language model in PyTorch with one optimizer, from settings to figures.

Needs PyTorch: nothing imports this module before a run is made.
"""

import copy
import math
from contextlib import contextmanager

import torch

import sketchlab.torch as slt
from analysis.problems import lstm_model
from analysis.problems.lstm_model import LanguageModel
from analysis.problems.split_text import streams
from analysis.training.loop import plain, sequences
from analysis.training.optimizers import stores
from analysis.training.wikitext import CUT, DECODED, MOMENTUM


def measure(settings, text):
    """Train once and return the perplexity, the bytes of state and the curve, epoch by epoch.

    The parameters of the epoch with the lowest validation perplexity are tested. A run has
    diverged when its loss stops being finite, or when it predicts worse than a guess among all
    words would.
    """
    start, hashing = sequences(settings, 2)
    device = torch.device(settings["device"])
    with seeded(start, device):
        return _Run(settings, text, device, hashing).result()


def gradients(settings, text):
    """Train; yield rows and values of the embedding's gradient after every step, in a list.

    Ends before a step whose loss is not finite. PyTorch's own random numbers are the run's until
    the generator is closed.
    """
    start, hashing = sequences(settings, 2)
    device = torch.device(settings["device"])
    with seeded(start, device):
        run = _Run(settings, text, device, hashing)
        yield from gradients_of(run, [run.model.embedding.weight])


def gradients_of(run, parameters):
    """Train for all epochs; yield rows and values of each parameter's gradient after every step."""
    for _ in range(run.settings["epochs"]):
        for _ in run.steps():
            yield [_rows_and_values(parameter) for parameter in parameters]
        if not run.finite:
            return


def mean_loss(run):
    """Take the steps of an epoch; return the mean loss, not finite where training ended."""
    total, words = 0.0, 0
    for loss, count in run.steps():
        total, words = total + loss * count, words + count
    return total / words if run.finite else math.inf


def _rows_and_values(parameter):
    """The distinct rows of a sparse gradient, ascending, and their values, as NumPy arrays."""
    gradient = parameter.grad.coalesce()
    return gradient.indices()[0].cpu().numpy(), gradient.values().cpu().numpy()


@contextmanager
def seeded(sequence, device):
    """Let PyTorch draw from a seed sequence, and go on from where it was afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(sequence.generate_state(1, "uint64")[0] >> 1))
        yield


class _Run:
    def __init__(self, settings, text, device, hashing):
        self.settings, self.vocabulary = settings, text.vocabulary
        self.parts = {
            name: torch.from_numpy(streams(words, settings["batch"]).astype("int64")).to(device)
            for name, words in text.parts.items()
        }
        shape = (settings[name] for name in ("dim", "width", "layers", "dropout"))
        self.model = LanguageModel(text.vocabulary, *shape, DECODED).to(device)
        self.optimizers = [
            embedding_optimizer(settings, self.model.embedding.parameters(), hashing),
            exact_optimizer(settings, self.model.others()),
        ]

    def result(self):
        """Train, and return what is to be known of it."""
        points, best, kept = [], math.inf, None
        for point in self._epochs():
            points.append(point)
            if point["perplexity"] is not None and point["perplexity"] < best:
                best, kept = point["perplexity"], copy.deepcopy(self.model.state_dict())
        score = best
        if kept is not None and self.settings["split"] == "test":
            self.model.load_state_dict(kept)
            score = self._perplexity("test")
        if points[-1]["perplexity"] is None:
            score = math.inf
        return {
            "score": plain(score, 4),
            "diverged": not score <= self.vocabulary,
            "state_bytes": self.optimizers[0].state_bytes().kept,
            "curve": {name: [point[name] for point in points] for name in points[0]},
            "torch": torch.__version__,
        }

    def _epochs(self):
        """Train; yield a point of the curve after every epoch.

        The rate is divided by ``CUT`` where the validation perplexity is no new best. The run ends
        with so many ``cuts``, where they are limited.
        """
        best, cuts, limit = math.inf, 0, self.settings["cuts"]
        for epoch in range(1, self.settings["epochs"] + 1):
            rate = self.settings["learning_rate"] / CUT**cuts
            loss = mean_loss(self)
            seen = self._perplexity("validation") if math.isfinite(loss) else math.inf
            yield {
                "epoch": epoch,
                "rate": rate,
                "loss": plain(loss, 4),
                "perplexity": plain(seen, 4),
            }
            if not math.isfinite(seen):
                return
            if seen >= best:
                cuts += 1
                for optimizer in self.optimizers:
                    for group in optimizer.param_groups:
                        group["lr"] /= CUT
                if cuts == limit:
                    return
            best = min(best, seen)

    def steps(self):
        """Take the steps of an epoch; yield the loss of each, and how many words it is the mean of.

        Ends before a step whose loss, or gradient, is not finite.
        """
        state, parameters = None, list(self.model.parameters())
        for segment, targets in lstm_model.segments(self.parts["train"], self.settings["segment"]):
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            loss, state = lstm_model.backward(self.model, segment, targets, state)
            norm = slt.clip_grad_norm_(parameters, self.settings["clip_norm"])
            self.finite = math.isfinite(loss) and math.isfinite(norm)
            if not self.finite:
                return
            for optimizer in self.optimizers:
                optimizer.step()
            yield loss, targets.numel()

    def _perplexity(self, part):
        return lstm_model.perplexity(self.model, self.parts[part], self.settings["segment"])


def embedding_optimizer(settings, parameters, hashing):
    """Return the optimizer of the embedding, with the stores that the settings say.

    Without a first moment: RMSprop for Adam; for momentum SGD, at its rate in the long run.
    """
    kept = stores(settings, iter(hashing.generate_state(2, "uint64").tolist()))
    rate, family = settings["learning_rate"], settings["family"]
    common = kept | {"min_numel": 0}
    if family == "Momentum" and "m" not in kept:
        return slt.SGD(parameters, rate / (1 - MOMENTUM), **common)
    if family == "Momentum":
        return slt.Momentum(parameters, rate, MOMENTUM, nesterov=True, **common)
    optimizer = slt.Adam if "m" in kept else slt.RMSprop
    return optimizer(parameters, rate, **settings["options"], **common)


def exact_optimizer(settings, parameters):
    """Return PyTorch's own optimizer of the family, for what has dense gradients."""
    rate = settings["learning_rate"]
    if settings["family"] == "Momentum":
        return torch.optim.SGD(parameters, rate, momentum=MOMENTUM, nesterov=True, fused=True)
    return torch.optim.Adam(parameters, rate, fused=True)
