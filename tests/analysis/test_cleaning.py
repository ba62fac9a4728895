"""The classifier with many classes, how V's error is watched, and what cleaning is said to gain."""

from functools import partial

import numpy as np
import pytest

import sketchlab as sl
from analysis.experiments import cleaning as experiment
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.problems.zipf_classes import Samples, ZipfClasses, accuracy
from analysis.training import classes
from analysis.training.variants import Variant
from sketchlab.stores import cells

TASK = classes.TASK | {"classes": 200, "dim": 8, "samples": 2048, "negatives": 50, "noise": 0.3}
PLAN = {"epochs": 2, "seed": 0, "task": TASK}
EXACT = sl.Dense(decay="lazy")
adagrad = partial(Variant, "Adagrad", "CMS")


def run(variant, rate=0.5, replicate=1):
    return classes.measure(classes.settings(PLAN, variant, rate, replicate))


def sketch(clean=None):
    return sl.CountMinSketch(clean=clean, decay="lazy")


# -- the problem ---------------------------------------------------------------------------------


@pytest.fixture
def task():
    return ZipfClasses(30, 6, 1.0, 0.4, np.random.default_rng(0))


def test_frequencies_and_noise(task):
    samples = task.draw(200_000, np.random.default_rng(1))
    counted = np.bincount(samples.labels, minlength=30) / 200_000
    np.testing.assert_allclose(counted, task.frequencies, atol=0.005)
    assert task.frequencies[0] / task.frequencies[9] == pytest.approx(10)
    noise = samples.features[:, :-1] - task.centres[samples.labels]
    assert np.sqrt((noise**2).sum(axis=1).mean()) == pytest.approx(0.4, rel=0.01)
    assert (samples.features[:, -1] == 1).all()


def test_gradient_is_that_of_the_sampled_loss(task):
    generator = np.random.default_rng(2)
    table = generator.standard_normal((30, 7))
    features, labels = task.draw(12, generator)
    batch = Samples(features.astype(np.float64), labels)
    direction = generator.standard_normal(table.shape)

    def loss(step):
        return task.gradient(table + step * direction, batch, 9, np.random.default_rng(5))[0]

    _, (rows, values) = task.gradient(table, batch, 9, np.random.default_rng(5))
    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    assert slope == pytest.approx((values * direction[rows]).sum(), abs=1e-7)


def test_accuracy_counts_the_highest_scores(task):
    samples = task.draw(500, np.random.default_rng(3))
    table = np.random.default_rng(4).standard_normal((30, 7))
    by_hand = [np.argmax(table @ f) == label for f, label in zip(samples.features, samples.labels)]
    assert accuracy(table, samples, block=64) == pytest.approx(np.mean(by_hand))


# -- one run -------------------------------------------------------------------------------------


def test_exact_v_is_at_no_distance_from_itself():
    result = run(Variant("Adagrad", "exact", "lazy", v=EXACT))
    assert max(result["errors"]) < 1e-5 and abs(result["bias"]) < 1e-5
    assert not result["diverged"] and result["accuracies"][-1] > 0.3
    assert len(result["accuracies"]) == 2
    assert len(result["errors"]) == 2 * (2048 // 64) // classes.EVERY == 1


@pytest.mark.parametrize("decay", ["lazy", "global"])
def test_exact_moment_of_adam_decays_as_the_store_does(decay):
    variant = Variant("Adam", "exact", decay, m=EXACT, v=sl.Dense(decay))
    assert max(run(variant, 0.02)["errors"]) < 1e-5


def test_a_run_follows_from_its_settings_alone():
    first = run(adagrad("", v=sketch()))
    assert run(adagrad("", v=sketch())) == first
    assert run(adagrad("", v=sketch()), replicate=2)["accuracies"] != first["accuracies"]


def test_a_sketch_overestimates_and_cleaning_undoes_it():
    plain = run(adagrad("", v=sketch()))
    cleaned = run(adagrad("", v=sketch(sl.Clean(0.2, 20))))
    assert plain["bias"] > 1 and cleaned["bias"] < plain["bias"] - 1
    assert plain["accuracies"] != cleaned["accuracies"]
    assert run(adagrad("", v=sketch(sl.Clean(1.0, 20)))) == plain


def test_exact_variables_can_be_cleaned():
    never = run(Variant("Adagrad", "exact", "", v=classes.CleanedDense()))
    cleaned = run(Variant("Adagrad", "exact", "", v=classes.CleanedDense(clean=sl.Clean(0.2, 20))))
    assert max(never["errors"]) < 1e-5
    # last cleaned at step 60 of 64: V holds at most a fifth of all but the last steps
    assert cleaned["bias"] < -1.5 and cleaned["errors"][-1] > 0.5


def test_a_store_that_forgets_to_clean_shows(monkeypatch):
    clean = adagrad("", v=sketch(sl.Clean(0.2, 20)))
    intact = run(clean)
    monkeypatch.setattr(cells.CellStore, "end_step", lambda self, step: None)
    assert run(clean) == run(adagrad("", v=sketch())) != intact


def test_divergence_is_reported():
    result = run(Variant("Adagrad", "exact", "lazy", v=EXACT), rate=1e38)
    assert result["diverged"]


# -- the summary ---------------------------------------------------------------------------------


def _study(gain_of):
    configuration, _ = experiment.EXPERIMENT.configure(Options(quick=True))

    def result_of(settings):
        cleaned = settings["stores"]["v"].get("clean") is not None
        score = 0.5 - 0.01 * settings["replicate"] - (gain_of(settings) if cleaned else 0)
        errors = [1.0 * settings["replicate"], 2.0]
        return {
            "score": score,
            "diverged": False,
            "state_bytes": 1000,
            "accuracies": [1 - score],
            "errors": errors,
            "bias": 1.0,
        }

    summary = experiment.EXPERIMENT.summarise(configuration, result_of)
    return summary, terminal(experiment.present(configuration, summary))


@pytest.mark.parametrize(
    ("gain_of", "verdict"),
    [
        (lambda settings: 0.03 + 1e-4 * settings["replicate"], "yes"),
        (lambda settings: -0.03 + 1e-4 * settings["replicate"], "no, it harms"),
        (lambda settings: 0.03 * (settings["replicate"] - 2), "undecided"),
    ],
)
def test_verdict_follows_the_paired_differences(gain_of, verdict):
    summary, text = _study(gain_of)
    assert {gain["helps"] for gain in summary["gains"]} == {verdict}
    assert len(summary["gains"]) == sum("α" in v.form for v in experiment.VARIANTS)
    assert verdict in text


def test_gains_are_over_the_same_variant_without_cleaning():
    summary, _ = _study(lambda _: 0.02)
    for gain in summary["gains"]:
        assert gain["variant"].replace(")", "").startswith(gain["over"].replace(")", ""))
        assert gain["gain"] == pytest.approx(0.02)


def test_bands_are_over_the_seeds():
    summary, _ = _study(lambda _: 0.0)
    assert summary["rows"][0]["errors"] == {"mean": [2, 2], "low": [1, 2], "high": [3, 2]}


def test_a_diverged_run_gives_no_gain():
    assert experiment._difference([0.1, 0.2], [0.1, None])["helps"] == "a run diverged"
    assert experiment._band([[1.0, None], [2.0, 3.0, 4.0]])["mean"] == [1.5, None]


def test_variants_differ_in_name():
    names = [variant.name for variant in experiment.VARIANTS]
    assert len(set(names)) == len(names)
