"""The perceptron on handwritten digits in PyTorch: what the views of a matrix keep, and runs."""

import numpy as np
import pytest
import torch

import sketchlab as sl
from analysis.experiments import dense_layers as experiment
from analysis.training import digits
from analysis.training.perceptron import Perceptron, loss_and_error
from analysis.training.variants import Variant
from sketchlab.kernels.cpu import parts
from sketchlab.stores.rank1 import Rank1Store

pytest.importorskip("sklearn", reason="scikit-learn of the extra `data` is not installed")

PLAN = {"epochs": 3, "seed": 0}
WEIGHTS = 64 * 128 + 128 * 10


def run(variant, block, rate=8e-3, replicate=1):
    return digits.measure(digits.settings(PLAN, variant, block, rate, replicate))


def view(state, form=""):
    (found,) = (
        view
        for view in experiment.VIEWS
        if view.variant.name.startswith(state) and form in view.variant.form
    )
    return found


def test_model_is_a_perceptron_whatever_the_view():
    pixels = np.random.default_rng(1).standard_normal((11, 6)).astype(np.float32)
    labels = np.arange(11) % 4
    losses = []
    for block in (None, 1, 4):
        model = Perceptron(np.random.default_rng(0), (6, 8, 4), block)
        assert [each.shape[1] for each in model.weights] == (
            [8, 4] if block is None else [block] * 2
        )
        with torch.no_grad():
            for bias in model.biases:
                bias.copy_(torch.linspace(-1, 1, len(bias)))
        losses.append(loss_and_error(model, torch.from_numpy(pixels), torch.from_numpy(labels)))
    first, second = (
        each.detach().numpy().reshape(shape).astype(float)
        for each, shape in zip(model.weights, ((6, 8), (8, 4)))
    )
    hidden = np.maximum(pixels @ first + np.linspace(-1, 1, 8), 0)
    scores = hidden @ second + np.linspace(-1, 1, 4)
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    loss = -np.log(chances[np.arange(11), labels]).mean()
    error = (scores.argmax(1) != labels).mean()
    assert all(found == pytest.approx((loss, error), rel=1e-5) for found in losses)


@pytest.mark.parametrize(
    ("state", "form", "numbers"),
    [
        ("RMSprop exact", "", WEIGHTS),
        ("RMSprop CMS", "element-wise, 5x, conservative", WEIGHTS / 5),
        ("RMSprop CMS", "element-wise, 20x, lazy", WEIGHTS / 20),
        ("RMSprop CMS", "blocks of 8, 5x, lazy", WEIGHTS / 5),
        ("RMSprop NMF", "", 64 + 128 + 128 + 10),
        ("Adam exact", "", 2 * WEIGHTS),
        ("Adam CS-MV", "element-wise, 5x, global", 2 * WEIGHTS / 5),
    ],
)
def test_variants_learn_and_keep_what_they_say(state, form, numbers):
    chosen = view(state, form)
    result = run(*chosen)
    assert not result["diverged"] and result["accuracy"] > 0.7
    assert result["score"] == pytest.approx(1 - result["accuracy"])
    assert result["state_bytes"] == pytest.approx(4 * numbers, rel=0.05)


def test_a_run_follows_from_its_settings_alone():
    chosen = view("RMSprop CMS", "element-wise, 5x, lazy")
    first = run(*chosen)
    assert run(*chosen) == first
    assert run(*chosen, replicate=2) != first


def test_every_view_of_an_exact_state_trains_alike():
    """Element by element or row by row: an exact state is the same numbers."""
    exact = Variant("RMSprop", "exact", "lazy", v=sl.Dense())
    assert run(exact, None) == run(exact, 1) == run(exact, 8)


def test_a_try_is_judged_on_other_digits():
    chosen = view("RMSprop exact")
    tried = run(*chosen, replicate=0)
    assert tried["score"] != pytest.approx(1 - tried["accuracy"])


def test_divergence_is_reported():
    assert run(*view("Momentum exact"), rate=1e4)["diverged"]


class Faint(parts.RankOnePart):
    """A part whose store answers next to nothing."""

    def look(self, moment):
        return super().look(moment)._replace(multiplier=self.number(1e-8))


def test_a_store_that_adds_nothing_shows(monkeypatch):
    """Without a second moment, RMSprop's steps are thousands of times too long."""
    chosen = view("RMSprop NMF")
    assert run(*chosen)["accuracy"] > 0.9
    monkeypatch.setitem(parts._KNOWN, Rank1Store, Faint)
    broken = digits.measure(digits.settings(PLAN, chosen.variant, chosen.block, 8e-3, 1))
    assert broken["diverged"] or broken["accuracy"] < 0.8
