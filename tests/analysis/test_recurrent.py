"""One training run of the recurrent model with each variant, and what becomes of the figures."""

from itertools import islice

import numpy as np
import pytest

from analysis.experiments import recurrent_language_model as experiment
from analysis.lab.errors import UsageError
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.problems import corpus
from analysis.problems import lstm as model
from analysis.training import recurrent

SMALL = {"dim": 12, "width": 16, "batch": 4, "segment": 10, "samples": 50}
BY_NAME = {variant.name: variant for variant in experiment.VARIANTS}


@pytest.fixture(scope="module")
def setting(corpus_file):
    """Return a function that makes settings of small runs, and the inputs that go with them."""
    configuration, inputs = experiment.EXPERIMENT.configure(Options(corpus=str(corpus_file)))

    def make(variant, **changes):
        rate = changes.pop("learning_rate", configuration["base_rates"][variant.family])
        made = recurrent.settings(configuration, variant, rate, replicate=1)
        few = {"steps": 60, "evaluated_words": 400, "watched_words": 100}
        return made | SMALL | few | changes

    return make, inputs


@pytest.mark.parametrize("variant", experiment.VARIANTS, ids=lambda variant: variant.name)
def test_every_variant_learns_and_says_what_it_keeps(setting, variant):
    make, inputs = setting
    result = recurrent.measure(make(variant), inputs)
    curve = result["curve"]
    assert not result["diverged"]
    assert {len(column) for column in curve.values()} == {recurrent.POINTS}
    assert curve["loss"][-1] < curve["loss"][0]
    assert curve["perplexity"][-1] < curve["perplexity"][0]
    size = len(corpus.load(inputs["corpus"]).words)
    columns = SMALL["dim"] + SMALL["width"] + 1
    exact = size * columns * 4
    shares = {"Dense": exact, "Rank1": (2 * size + columns) * 4}
    kept = [store for store in (variant.m, variant.v) if store is not None]
    state = sum(shares.get(type(store).__name__, 0.2 * exact) for store in kept)
    assert result["state_bytes"] == pytest.approx(state, rel=0.03)


def unigram_perplexity(text):
    counts = np.bincount(text.tokens[text.positions["train"]], minlength=len(text.words)) + 0.1
    share = counts / counts.sum()
    return np.exp(-np.mean(np.log(share[text.tokens[text.positions["test"]]])))


def test_a_longer_run_predicts_better_than_frequencies(setting):
    make, inputs = setting
    text = corpus.load(inputs["corpus"])
    long = {"steps": 600, "learning_rate": 2e-2, "evaluated_words": 1_000, "watched_words": 0}
    result = recurrent.measure(make(BY_NAME["Adam exact (lazy)"], **long), inputs)
    assert result["score"] < 0.8 * unigram_perplexity(text)
    assert "perplexity" not in result["curve"]


def test_a_run_follows_from_its_settings_alone(setting):
    make, inputs = setting
    variant = BY_NAME["Adam CS-MV (paper: lazy)"]
    first = recurrent.measure(make(variant), inputs)
    assert recurrent.measure(make(variant), inputs) == first
    assert recurrent.measure(make(variant, replicate=2), inputs)["score"] != first["score"]
    assert recurrent.measure(make(variant, seed=1), inputs)["score"] != first["score"]


def test_variants_of_a_replicate_see_the_same_data(setting):
    make, inputs = setting
    one, *others = (
        recurrent.measure(make(BY_NAME[name], learning_rate=0.0), inputs)["curve"]
        for name in ("Adagrad exact (lazy)", "Adam CS-MV (paper: lazy)", "RMSprop exact (lazy)")
    )
    assert all(other == one for other in others)


@pytest.mark.parametrize("rate", [1e4, 1e30])
def test_divergence_is_reported(setting, rate):
    make, inputs = setting
    run = make(BY_NAME["Momentum exact (lazy)"], learning_rate=rate, clip_norm=1e9)
    assert recurrent.measure(run, inputs)["diverged"]


def test_state_is_carried_through_an_epoch_and_forgotten_after_it(setting, monkeypatch):
    make, inputs = setting
    given, returned = [], []
    whole = model.gradients

    def watched(parameters, segment, state, *rest):
        given.append(state)
        found, after = whole(parameters, segment, state, *rest)
        returned.append(after)
        return found, after

    monkeypatch.setattr(model, "gradients", watched)
    settings = make(BY_NAME["Adam exact (lazy)"], segment=500)
    recurrent.measure(settings, inputs)
    epoch = -(-len(corpus.load(inputs["corpus"]).positions["train"]) // (500 * SMALL["batch"]))
    assert len(given) > 2 * epoch > 2
    for step, state in enumerate(given):
        if step % epoch:
            assert state is returned[step - 1]
        else:
            assert not state.output.any() and not state.cell.any()


def test_epochs_follow_each_other_and_say_when_one_begins(setting):
    make, inputs = setting
    settings = make(BY_NAME["Adam exact (lazy)"])
    text = corpus.load(inputs["corpus"])
    length = len(text.positions["train"]) // SMALL["batch"]
    epoch = -(-length // SMALL["segment"])
    parts = list(islice(recurrent.segments(settings, text, np.random.default_rng(0)), 2 * epoch))
    assert [number for number, (_, fresh) in enumerate(parts) if fresh] == [0, epoch]
    assert sum(len(part.words) for part, _ in parts[:epoch]) == length
    np.testing.assert_array_equal(parts[0][0].words, parts[epoch][0].words)
    other, _ = next(recurrent.segments(settings, text, np.random.default_rng(1)))
    assert (other.words != parts[0][0].words).any()


def _gradients(scale):
    generator = np.random.default_rng(0)

    def draw(*shape):
        return (scale * generator.standard_normal(shape)).astype(np.float32)

    rows = np.arange(5)
    tables = model.Sparse(rows, draw(5, 3)), model.Sparse(rows, draw(5, 4))
    return model.Gradients(1.0, *tables, draw(8, 16))


def _joined(gradients):
    parts = gradients.embedding.values, gradients.softmax.values, gradients.layer
    return np.concatenate([part.ravel() for part in parts])


def test_long_gradients_are_clipped_together_and_short_ones_not():
    long, short = _gradients(3.0), _gradients(1e-3)
    clipped = _joined(recurrent.clip(long, 0.25))
    assert np.linalg.norm(clipped) == pytest.approx(0.25, rel=1e-5)
    np.testing.assert_allclose(clipped / 0.25, _joined(long) / np.linalg.norm(_joined(long)), 1e-5)
    np.testing.assert_array_equal(_joined(recurrent.clip(short, 0.25)), _joined(short))


def test_training_clips(setting):
    make, inputs = setting
    variant = BY_NAME["Momentum exact (lazy)"]
    still, clipped, moved = (
        recurrent.measure(make(variant, **changes), inputs)["curve"]["loss"][-1]
        for changes in ({"learning_rate": 0.0}, {"clip_norm": 1e-9}, {})
    )
    assert clipped == pytest.approx(still, abs=2e-4) and moved < still - 0.05


def _study(configuration, perplexity_of):
    """Sum up made-up results."""

    def result_of(settings):
        score = perplexity_of(settings)
        points = range(1, 2 if score is None else 11)
        return {
            "score": score,
            "diverged": score is None,
            "state_bytes": 1000,
            "curve": {"epoch": [k / 10 for k in points], "perplexity": [300 - k for k in points]},
        }

    summary = experiment.EXPERIMENT.summarise(configuration, result_of)
    return summary["rows"], terminal(experiment.present(configuration, summary))


@pytest.fixture
def configuration(corpus_file):
    return experiment.EXPERIMENT.configure(Options(quick=True, corpus=str(corpus_file)))[0]


def test_table_sets_scores_beside_exact_and_beside_the_paper(configuration):
    def perplexity_of(settings):
        return (100.0 if "exact" in settings["variant"] else 110.0) + 2 * settings["replicate"]

    rows, text = _study(configuration, perplexity_of)
    line = next(line for line in text.splitlines() if "CS-MV" in line)
    assert "114.0 ± 2.0" in line and "+9.6 %" in line and "+3.9 % (4), +1.6 % (9)" in line
    assert "298 → 295 → 290" in line
    assert rows[0]["curve"][0] == {"epoch": 0.1, "mean": 299, "std": 0}


def test_table_does_not_hide_diverged_runs(configuration):
    rows, text = _study(
        configuration, lambda settings: None if settings["replicate"] == 2 else 100.0
    )
    assert rows[0]["diverged"] == 1 and len(rows[0]["curve"]) == 10
    assert text.count("100.0 ± 0.0 (1 diverged)") == len(experiment.VARIANTS)
    rows, text = _study(configuration, lambda settings: None)
    assert text.count(" diverged ") == len(experiment.VARIANTS)
    assert rows[0]["curve"] == []


def test_everyone_gets_the_same_number_of_tries(configuration):
    rows, _ = _study(configuration, lambda settings: 100 + abs(settings["learning_rate"] - 0.01))
    assert {len(row["tries"]) for row in rows} == {configuration["tries"]}


def test_published_ratios_are_those_of_the_paper():
    assert experiment.published("Momentum", "CS") == "+1.8 % (3)"
    assert experiment.published("Adagrad", "CMS") == "-2.7 % (6)"
    assert experiment.published("Adam", "LR-NMF-V") == "+1.0 % (4), +1.3 % (9)"
    assert experiment.published("RMSprop", "CMS conservative") == ""


def test_quick_and_full_differ_in_size_alone(corpus_file):
    quick, full = (
        experiment.EXPERIMENT.configure(Options(quick=quick, corpus=str(corpus_file)))[0]
        for quick in (True, False)
    )
    assert quick["replicates"] == full["replicates"] >= 3
    assert quick["common"] == full["common"]


def test_too_few_steps_are_refused(corpus_file):
    with pytest.raises(UsageError, match="at least 10"):
        experiment.EXPERIMENT.configure(Options(steps=9, corpus=str(corpus_file)))
