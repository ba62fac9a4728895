"""One training run of each variant, and what becomes of the figures."""

import pytest

from analysis.experiments import language_model
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.problems import corpus
from analysis.training import language
from analysis.training.language import measure
from analysis.training.variants import BY_NAME, VARIANTS

DIM = 16


@pytest.fixture(scope="module")
def setting(corpus_file):
    """Return a function that makes settings of small runs, and the inputs that go with them."""
    configuration, inputs = language_model.EXPERIMENT.configure(Options(corpus=str(corpus_file)))

    def make(variant, **changes):
        rate = configuration["base_rates"][variant.family]
        made = language.settings(configuration, variant, rate, replicate=1)
        small = {"steps": 60, "evaluated_words": 400, "dim": DIM, "batch": 64, "samples": 50}
        return made | small | changes

    return make, inputs


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_variant_learns_and_says_what_it_keeps(setting, variant):
    make, inputs = setting
    result = measure(make(variant), inputs)
    assert not result["diverged"] and result["losses"][-1] < result["losses"][0]
    size = len(corpus.load(inputs["corpus"]).words)
    kept = [store for store in (variant.m, variant.v) if store is not None]
    exact = size * (2 * DIM + 1) * 4
    state = sum(
        exact if type(store).__name__ == "Dense" else 0.2 * exact
        for store in kept
        if type(store).__name__ != "Rank1"
    )
    if state:
        assert result["state_bytes"] == pytest.approx(state, rel=0.02)
    else:
        assert result["state_bytes"] == (2 * size + 2 * DIM + 1) * 4


def test_a_run_follows_from_its_settings_alone(setting):
    make, inputs = setting
    variant = BY_NAME["Adam CS-MV (paper: lazy)"]
    first = measure(make(variant), inputs)
    assert measure(make(variant), inputs) == first
    assert measure(make(variant, replicate=2), inputs)["score"] != first["score"]
    assert measure(make(variant, seed=1), inputs)["score"] != first["score"]


def test_variants_of_a_replicate_see_the_same_data(setting):
    make, inputs = setting
    losses = [
        measure(make(BY_NAME[name], learning_rate=0.0), inputs)["losses"]
        for name in ("Adagrad exact (lazy)", "Adam CS-MV (paper: lazy)", "RMSprop exact (lazy)")
    ]
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize("rate", [100.0, 1e30])
def test_divergence_is_reported(setting, rate):
    make, inputs = setting
    result = measure(make(BY_NAME["Momentum exact (lazy)"], learning_rate=rate), inputs)
    assert result["diverged"]


def _study(configuration, perplexity_of):
    """Sum up made-up results."""

    def result_of(settings):
        score = perplexity_of(settings)
        return {"score": score, "diverged": score is None, "state_bytes": 1000}

    summary = language_model.EXPERIMENT.summarise(configuration, result_of)
    return summary["rows"], terminal(language_model.present(configuration, summary))


@pytest.fixture
def configuration(corpus_file):
    return language_model.EXPERIMENT.configure(Options(quick=True, corpus=str(corpus_file)))[0]


def test_table_gives_mean_and_deviation_over_the_seeds(configuration):
    rows, text = _study(configuration, lambda settings: 100.0 + 2 * settings["replicate"])
    assert rows[0]["mean"] == 104 and rows[0]["std"] == 2
    assert rows[0]["scores"] == [102, 104, 106]
    assert text.count("104.0 ± 2.0") == len(VARIANTS)


def test_table_does_not_hide_diverged_runs(configuration):
    rows, text = _study(
        configuration, lambda settings: None if settings["replicate"] == 2 else 100.0
    )
    assert rows[0]["diverged"] == 1 and rows[0]["scores"] == [100, None, 100]
    assert text.count("100.0 ± 0.0 (1 diverged)") == len(VARIANTS)
    _, text = _study(configuration, lambda settings: None)
    assert text.count(" diverged ") == len(VARIANTS)
    assert "*: the lowest or highest rate tried" in text


def test_everyone_gets_the_same_number_of_tries(configuration):
    rows, _ = _study(configuration, lambda settings: 100 + abs(settings["learning_rate"] - 0.01))
    assert {len(row["tries"]) for row in rows} == {configuration["tries"]}


def test_quick_and_full_differ_in_size_alone(corpus_file):
    quick, full = (
        language_model.EXPERIMENT.configure(Options(quick=quick, corpus=str(corpus_file)))[0]
        for quick in (True, False)
    )
    assert quick["replicates"] == full["replicates"] >= 3
    assert quick["common"] == full["common"]
    assert full["test_words"] is None
