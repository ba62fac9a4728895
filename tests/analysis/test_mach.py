"""MACH: gradients, ranks, search, and one training run."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

import sketchlab as sl
from analysis.problems import decoding, icd
from analysis.problems import mach as model
from analysis.timing import many_classes
from analysis.training import mach
from analysis.training.variants import Variant
from sketchlab.hashing import hash_constants

FEATURES, HIDDEN, OUTPUTS, NAMES = 12, 5, 7, 9


@pytest.fixture
def batch():
    """Parameters in float64, and names of which no hidden unit is close to its kink."""
    generator = np.random.default_rng(2)
    parameters = model.initialise(generator, FEATURES, HIDDEN, OUTPUTS, np.float64)
    dense = generator.random((NAMES, FEATURES)) * (generator.random((NAMES, FEATURES)) < 0.3)
    dense[:, 0] = 1
    dense[:, 4] = 0
    assert np.abs(dense @ parameters.input).min() > 1e-4
    return parameters, sparse.csr_array(dense), generator.integers(0, OUTPUTS, NAMES)


def largest_error(gradient_function, parameters, features, targets, step=1e-6):
    """Compare every entry of the gradients with a central difference of the loss."""
    found = gradient_function(parameters, features, targets)
    given = model.Parameters(np.zeros_like(parameters.input), found.output)
    given.input[found.input.rows] = found.input.values
    error = 0.0
    for array, gradient in zip(parameters, given):
        for place in np.ndindex(array.shape):
            kept, losses = array[place], []
            for moved in (kept + step, kept - step):
                array[place] = moved
                losses.append(model.gradients(parameters, features, targets).loss)
            array[place] = kept
            error = max(error, abs((losses[0] - losses[1]) / (2 * step) - gradient[place]))
    return error


def test_gradients_match_finite_differences(batch):
    assert largest_error(model.gradients, *batch) < 1e-8


def test_only_features_of_the_batch_get_a_gradient(batch):
    rows = model.gradients(*batch).input.rows
    np.testing.assert_array_equal(rows, np.unique(batch[1].indices))
    assert 4 not in rows


@pytest.mark.parametrize("part", ["input", "output"])
def test_finite_differences_find_a_wrong_gradient(batch, part):
    def broken(*arguments):
        found = model.gradients(*arguments)
        if part == "output":
            return found._replace(output=1.001 * found.output)
        return found._replace(input=found.input._replace(values=1.001 * found.input.values))

    assert largest_error(broken, *batch) > 1e-5


def test_loss_is_the_cross_entropy_of_the_probabilities(batch):
    parameters, features, targets = batch
    shares = model.probabilities(parameters, features)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    hidden = np.maximum(features.toarray() @ parameters.input, 0)
    scores = np.exp(hidden @ parameters.output.T)
    np.testing.assert_allclose(shares, scores / scores.sum(axis=1, keepdims=True))
    entropy = -np.mean(np.log(shares[np.arange(NAMES), targets]))
    assert model.gradients(parameters, features, targets).loss == pytest.approx(entropy)


def test_bytes_of_a_name_are_those_that_a_batch_takes():
    generator = np.random.default_rng(0)
    parameters = model.initialise(generator, 50, 64, 500)
    peaks = []
    for size in (1_000, 3_000):
        features = sparse.csr_array(generator.random((size, 50), np.float32))
        tracemalloc.start()
        model.gradients(parameters, features, generator.integers(0, 500, size))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    measured = (peaks[1] - peaks[0]) / 2_000 - features.nnz / size * 8  # the copy of the features
    assert measured == pytest.approx(model.bytes_of_a_name(64, 500), rel=0.2)


def test_rank_counts_all_that_score_as_high():
    members = np.array([[0, 0, 1, 1, 2], [0, 1, 0, 1, 1]])
    answers = np.array([[[4, 2, 1]], [[5, 3, 0]]]) / 8
    # scores, in eighths: 9, 7, 7, 5, 4
    ranks = [model.ranks(answers, members, np.array([label]))[0] for label in range(5)]
    assert ranks == [1, 3, 3, 4, 5]


def test_a_model_that_answers_nothing_or_nonsense_finds_nothing():
    members = model.meta_classes(0, 300, 2, 10)
    for value in (0.1, np.nan):
        answers = np.full((2, 1, 10), value)
        assert model.ranks(answers, members, np.array([7])) == [300]


CLASSES, META = 3_000, 40


@pytest.fixture
def search():
    constants = hash_constants(5, 3)
    members = model.meta_classes(5, CLASSES, 3, META)
    return decoding.Index(constants, CLASSES, META), members


def test_index_lists_every_class_once_under_its_meta_class(search):
    index, members = search
    for listed, starts, of_class in zip(index.listed, index.starts, members):
        assert sorted(listed) == list(range(CLASSES))
        for one in range(META):
            assert set(of_class[listed[starts[one] : starts[one + 1]]]) <= {one}


@pytest.mark.parametrize("exponent", [0.0, 0.3, 1.5, 4.0])
@pytest.mark.parametrize("count", [1, 10, CLASSES])
def test_index_and_scan_find_the_best_of_all_classes(search, exponent, count, monkeypatch):
    monkeypatch.setattr(decoding, "CHUNK", 700)
    index, members = search
    generator = np.random.default_rng(1)
    answers = generator.permuted(
        generator.random((3, META)) * np.arange(1, META + 1) ** -exponent, axis=1
    )
    scores = np.take_along_axis(answers, members, axis=1).sum(axis=0)
    best = np.sort(scores)[::-1][:count]
    for found in (
        index.top(answers, count),
        decoding.scan(answers, CLASSES, index.constants, count),
    ):
        np.testing.assert_allclose(found.scores, best)
        np.testing.assert_allclose(scores[found.classes], found.scores)


def test_index_scores_few_classes_where_few_are_likely(search):
    index, _ = search
    answers = np.full((3, META), 1e-6)
    answers[:, 5] = 1 - answers[:, 6:].sum()
    assert index.top(answers, 10).scored < CLASSES / 3


def test_many_classes_measures_training_and_search():
    settings = {
        "classes": 5_000, "classifiers": 3, "meta_classes": 100, "features": 2_000, "hidden": 8,
        "batch": 16, "compression": 10, "steps": 2, "queries": 4, "scans": 4, "found": 50,
        "exponent": 1.5, "seed": 0,
    }  # fmt: skip
    result = many_classes.measure(settings)
    assert result["scans_agree"] and result["right_found"] == 4
    assert result["parameter_bytes"] == 4 * 8 * 2_100
    assert result["state_bytes"] == pytest.approx(result["parameter_bytes"] / 10, rel=0.1)
    assert 3 * 5_000 * 4 < result["index_bytes"] < 3 * 5_000 * 4 + 3 * 101 * 8 + 1
    assert result["scored"] < 5_000


def test_power_law_draws_what_it_says():
    drawn = many_classes.power_law(np.random.default_rng(0), 10**6, 1.5, 200_000)
    assert drawn.min() == 0 and drawn.max() < 10**6
    share = np.mean(drawn >= 99)  # ∫ from 100 to N of r^−1.5 over ∫ from 1
    assert share == pytest.approx(0.1, rel=0.05)


@pytest.fixture
def run(monkeypatch):
    """Return a function that trains on a small made-up catalogue."""
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abcdefghij"), 6)) for _ in range(60)]
    descriptions = [" ".join(generator.choice(words, 3)) for _ in range(300)]
    terms = [f"{one} nos" for one in descriptions]
    task = icd.build("made up", descriptions, terms, range(300))
    monkeypatch.setattr(icd, "load", lambda: task)
    plan = {"steps": 150, "validation_queries": 20, "test_queries": None, "seed": 0}
    small = {"hidden": 32, "meta_classes": 50, "classifiers": 3, "batch": 32}

    def train(variant=EXACT, rate=0.02, replicate=1, **changes):
        common = mach.constants() | small
        settings = mach.settings(plan | {"common": common}, variant, rate, replicate)
        return mach.measure(settings | changes, None)

    return train


EXACT = Variant("RMSprop", "exact", "lazy", v=sl.Dense())
SKETCHED = Variant("RMSprop", "CMS", "lazy", v=sl.CountMinSketch(compression=10))


@pytest.mark.parametrize("variant", [EXACT, SKETCHED], ids=["exact", "sketched"])
def test_a_run_learns_to_find_held_out_names(run, variant):
    result = run(variant)
    assert not result["diverged"]
    assert result["score"] == 1 - result["recalls"]["100"] < 0.2
    assert result["recalls"]["1"] <= result["recalls"]["10"] <= result["recalls"]["100"]
    untrained = run(variant, rate=0.0)
    assert untrained["score"] > 0.5
    parameters = 4 * 32 * (icd.FEATURES + 50) * 3
    share = 1 if variant is EXACT else 1 / 10
    assert result["state_bytes"] == pytest.approx(share * parameters, rel=0.01)


def test_a_run_follows_from_its_settings_alone(run):
    first = run(SKETCHED, steps=20)
    assert run(SKETCHED, steps=20) == first
    assert run(SKETCHED, steps=20, replicate=2)["losses"] != first["losses"]
    assert run(SKETCHED, steps=20, seed=1)["losses"] != first["losses"]


def test_variants_of_a_replicate_see_the_same_data(run):
    assert run(EXACT, 0.0, steps=9)["losses"] == run(SKETCHED, 0.0, steps=9)["losses"]


def test_divergence_is_reported(run):
    result = run(EXACT, 1e30)
    assert result["diverged"] and result["score"] is None


def test_a_try_is_of_one_classifier_on_validation_queries(run):
    result = run(EXACT, replicate=0)
    assert len(result["losses"]) == 1
    assert run(EXACT, replicate=1)["state_bytes"] == 3 * result["state_bytes"]
