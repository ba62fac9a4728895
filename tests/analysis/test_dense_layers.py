"""The perceptron's gradient, the digits' splits, and what the views of a matrix keep."""

import builtins

import numpy as np
import pytest

import sketchlab as sl
from analysis.experiments import dense_layers as experiment
from analysis.lab.errors import UsageError
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.problems import digits as data
from analysis.problems import perceptron
from analysis.training import digits
from analysis.training.variants import Variant
from sketchlab.stores import arithmetic

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


def test_gradient_is_that_of_the_loss():
    generator = np.random.default_rng(0)
    layers = perceptron.initialise(generator, (5, 7, 6, 3), np.float64)
    inputs, labels = generator.standard_normal((11, 5)), generator.integers(3, size=11)
    loss, found = perceptron.gradients(layers, inputs, labels)
    assert loss == pytest.approx(perceptron.loss_and_error(layers, inputs, labels)[0])
    for layer, gradient in zip(layers, found, strict=True):
        for values, slopes in zip(layer, gradient, strict=True):
            direction = generator.standard_normal(values.shape)
            ends = []
            for step in (1e-6, -2e-6):
                values += step * direction
                ends.append(perceptron.loss_and_error(layers, inputs, labels)[0])
            values += 1e-6 * direction
            slope = (ends[0] - ends[1]) / 2e-6
            assert slope == pytest.approx((slopes * direction).sum(), abs=1e-7)


def test_splits_deal_every_digit_once():
    splits = data.split(np.random.default_rng(3))
    sizes = {name: len(samples.labels) for name, samples in splits.items()}
    assert sum(sizes.values()) == len(data.load().labels) == 1797
    assert {name: round(size / 1797, 2) for name, size in sizes.items()} == data.SPLITS
    pixels = np.concatenate([samples.pixels for samples in splits.values()])
    assert pixels.sum() == pytest.approx(data.load().pixels.sum(), rel=1e-5)
    assert (pixels >= 0).all() and (pixels <= 1).all() and pixels.dtype == np.float32


def test_missing_package_is_said_in_one_line(monkeypatch):
    importing = builtins.__import__

    def without_sklearn(name, *rest):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return importing(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_sklearn)
    data.load.cache_clear()
    with pytest.raises(UsageError, match=r"pip install sketchlab\[data\]"):
        experiment.EXPERIMENT.configure(Options(quick=True))


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


def test_a_store_that_adds_nothing_shows(monkeypatch):
    """Without a second moment, RMSprop's steps are thousands of times too long."""
    chosen = view("RMSprop NMF")
    assert run(*chosen)["accuracy"] > 0.9
    monkeypatch.setattr(
        "sketchlab.stores.rank1.outer_estimate",
        lambda *given: 1e-8 * arithmetic.outer_estimate(*given),
    )
    broken = digits.measure(digits.settings(PLAN, chosen.variant, chosen.block, 8e-3, 1))
    assert broken["diverged"] or broken["accuracy"] < 0.8


def test_summary_and_table():
    configuration, _ = experiment.EXPERIMENT.configure(Options(quick=True))

    def result_of(settings):
        score = 0.1 + 0.01 * settings["replicate"]
        return {"score": score, "diverged": False, "state_bytes": 1000}

    summary = experiment.EXPERIMENT.summarise(configuration, result_of)
    assert [row["variant"] for row in summary["rows"]] == [v.variant.name for v in experiment.VIEWS]
    text = terminal(experiment.present(configuration, summary))
    assert text.count("88.0 ± 1.0") == len(experiment.VIEWS)


def test_quick_and_full_differ_in_size_alone():
    quick, full = (
        experiment.EXPERIMENT.configure(Options(quick=quick))[0] for quick in (True, False)
    )
    assert quick.keys() == full.keys()
    assert quick["replicates"] >= 3 and full["replicates"] >= 3
