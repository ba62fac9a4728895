"""The forms of a shrunken answer: against the library's own, plain loops and known contents."""

from itertools import combinations

import numpy as np
import pytest

from analysis.experiments import shrinkage_forms as experiment
from analysis.lab.report import terminal
from analysis.lab.study import Options
from sketchlab.stores.shrinkage import median_variance, trust

TINY = {"dim": 8, "steps": 6, "draws": 3}


@pytest.fixture(scope="module")
def configured(corpus_file):
    configuration, inputs = experiment.configure(Options(quick=True, corpus=str(corpus_file)))
    return configuration | TINY, inputs


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_shrunken_median_is_the_librarys(depth):
    readings = np.random.default_rng(depth).standard_normal((depth, 40, 6)) + 0.7
    readings[:, 0], readings[:, 1] = 0, [[(-1) ** j] * 6 for j in range(depth)]
    found = experiment.first_answers(readings)
    wanted = trust(readings)[:, None] * np.median(readings, axis=0)
    np.testing.assert_allclose(found["shrunken median"], wanted, rtol=1e-12, atol=1e-12)
    assert not found["shrunken mean"][0].any()


def test_forms_as_plain_loops_have_them():
    readings = np.random.default_rng(0).standard_normal((3, 5, 4)) + 0.5
    found = experiment.first_answers(readings)
    for row in range(5):
        e = readings[:, row]
        products = [float(np.dot(e[a], e[b])) for a, b in combinations(range(3), 2)]
        auto = sum(float(np.dot(each, each)) for each in e) / 3
        for name, cross, variance, answer in (
            ("shrunken mean", sum(products) / 3, 1 / 3, e.mean(axis=0)),
            (
                "shrunken median, median over pairs",
                sorted(products)[1],
                median_variance(3),
                np.median(e, axis=0),
            ),
        ):
            cross = max(cross, 0.0)
            part = cross / (cross + variance * max(auto - cross, 0)) if cross else 0
            np.testing.assert_allclose(found[name][row], part * answer, rtol=1e-12)


def test_one_heavy_neighbour_moves_the_mean_of_pairs_alone():
    """Of five readings of 0 two have the same disturbance: one pair of ten agrees."""
    readings = np.zeros((5, 1, 3))
    readings[:2] = 10.0
    readings += 0.1 * np.random.default_rng(0).standard_normal(readings.shape)
    auto, pairs = experiment._products(readings)
    assert experiment._kept(pairs.mean(axis=0), auto, 0.3)[0, 0] > 0.3
    assert experiment._kept(np.median(pairs, axis=0), auto, 0.3)[0, 0] < 0.01


def test_unbiased_readings_of_second_moments():
    """Buckets drawn by hand: the mean over many is the row, where the minimum is above it."""
    generator, width = np.random.default_rng(0), 4
    moment = generator.random((12, 1))
    wanted, seen, least = moment[0, 0], [], []
    for _ in range(4000):
        buckets = generator.integers(width, size=12)
        cell = moment[buckets == buckets[0]].sum()
        found = experiment.second_answers(np.array([[[cell]]] * 2), moment, width)
        seen.append(cell - (moment.sum() - cell) / (width - 1))
        assert 0 <= found["unbiased median"] <= found["minimum"] == cell
        least.append(cell)
    error = 4 * np.std(seen) / np.sqrt(len(seen))
    assert np.mean(seen) == pytest.approx(wanted, abs=error) and np.mean(least) > wanted + error


def test_readings_that_agree_are_kept_and_those_that_do_not_are_the_mean_row():
    moment, width = np.full((100, 8), 2.0), 1001
    alike = np.full((3, 1, 8), 5.0) + (moment.sum(0) - 5) / 1000
    found = experiment.second_answers(alike, moment, width)
    np.testing.assert_allclose(found["shrunken median"], found["unbiased median"], rtol=0.05)
    readings = np.array([9.0, 0.0])[:, None, None] * np.ones((2, 1, 8)) + alike[:2] - 5
    off = experiment._products(readings - (moment.sum(0) - readings) / 1000 - 2)[1]
    assert off.max() < 0  # one above the mean row, the other below
    found = experiment.second_answers(readings, moment, width)
    np.testing.assert_allclose(found["shrunken median"], np.minimum(2, found["minimum"]))


def test_errors_of_all_forms_and_the_table(configured):
    configuration, inputs = configured
    cells = experiment.runs(configuration)
    assert len(cells) == 2 * 2 * 3 * 3
    results = {}
    for cell in cells:
        if cell["depth"] == 3 and cell["compression"] == 5:
            result = experiment.measure(cell, inputs)
            assert set(result) == set(experiment.FORMS[cell["moment"]])
            assert all(len(errors) == 3 and min(errors) >= 0 for errors in result.values())
            results[cell["moment"]] = result
    summary = experiment.summarise(configuration, lambda cell: results[cell["moment"]])
    shown = terminal(experiment.present(configuration, summary))
    assert all(form in shown for forms in experiment.FORMS.values() for form in forms)


def test_smaller_sketches_err_more(configured):
    configuration, inputs = configured
    for moment, forms in {"m": ("median", "mean"), "v": ("minimum", "conservative")}.items():
        cell = next(c for c in experiment.runs(configuration) if c["moment"] == moment)
        small, large = (
            experiment.measure(cell | {"compression": times, "depth": 3}, inputs)
            for times in (20, 1)
        )
        assert all(np.mean(small[form]) > np.mean(large[form]) for form in forms)
