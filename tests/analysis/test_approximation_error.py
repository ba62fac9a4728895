"""Distances between stores and exact variables along one stream, and what breaks them."""

import numpy as np
import pytest

import sketchlab as sl
from analysis.experiments import approximation_error as experiment
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.training import approximations
from sketchlab.stores.count_min import CountMinStore
from sketchlab.stores.count_sketch import CountSketchStore
from sketchlab.stores.rank1 import Rank1Store

TINY = {"dim": 16, "steps": 30, "points": 6}


@pytest.fixture(scope="module")
def configured(corpus_file):
    configuration, inputs = experiment.configure(Options(quick=True, corpus=str(corpus_file)))
    return configuration | TINY, inputs


def results_of(configured, variable, table="softmax"):
    configuration, inputs = configured
    cells = experiment.runs(configuration)
    (cell,) = [c for c in cells if (c["variable"], c["table"]) == (variable, table)]
    return experiment.measure(cell, inputs)


def final(result, name):
    """The mean over the draws of the last distance, over the norm."""
    store = result["stores"][name]
    return (
        np.mean([series[-1] for series in store["distances"]]) / result["norms"][store["decay"]][-1]
    )


@pytest.fixture(scope="module")
def intact(configured):
    return {variable: results_of(configured, variable) for variable in experiment.STREAMS}


def test_exact_stores_are_at_no_distance_and_an_empty_one_at_the_norm():
    class Empty:
        decay = "lazy"

        def advance(self, *_):
            pass

        def estimate(self, rows):
            return np.zeros((len(rows), 2))

    exact = {decay: [sl.Dense(decay).allocate(5, 2)] for decay in ("lazy", "global")}
    watch = approximations.Watch(exact | {"empty": [Empty()]}, 5, 2, 0.5, 1.0)
    watch.advance(np.array([1, 3]), np.array([[3.0, 0.0], [0.0, 4.0]]))
    watch.advance(np.array([1]), np.zeros((1, 2)))
    watch.record(np.array([1]))
    assert watch.distances["lazy"] == watch.distances["global"] == [[0.0]]
    assert watch.norms == {"lazy": [np.hypot(1.5, 4.0)], "global": [2.5]}
    assert watch.distances["empty"] == [watch.norms["lazy"]]
    assert watch.active["empty"] == [[1.0]]


@pytest.mark.filterwarnings("ignore::sketchlab.StoreSizeWarning")
def test_signs_apart_is_the_signed_variable_where_it_has_one_column():
    """A column is a rank-one matrix: nothing is lost but rounding."""
    generator = np.random.default_rng(0)
    store, exact = approximations.SignsApart(6, 1), sl.Dense("global").allocate(6, 1)
    for _ in range(20):
        rows = np.sort(generator.choice(6, 3, replace=False))
        values = generator.standard_normal((3, 1)).astype(np.float32)
        for each in (store, exact):
            each.advance(rows, values, 0.9, 1.0)
    everyone = np.arange(6)
    np.testing.assert_allclose(store.estimate(everyone), exact.estimate(everyone), atol=1e-5)
    assert store.nbytes == 2 * (6 + 1) * 4


@pytest.mark.parametrize("moment", ["m", "v"])
def test_stores_have_equal_parameter_counts(moment):
    n, dim = 16_101, 32
    stores = approximations.approximations(moment, n, dim, [1, 2, 3])
    for name, kept in stores.items():
        numbers = kept[0].nbytes / 4
        expected = {"NMF, signs apart": 2 * (n + dim)}.get(name, n + dim)
        if name.endswith("5x"):
            expected = n * dim / 5
        assert numbers == pytest.approx(expected, rel=0.01), name
        assert len(kept) == (3 if "count" in name else 1)


def test_same_settings_same_result_and_other_seed_another(configured, intact):
    configuration, inputs = configured
    assert results_of(configured, "Adam's V") == intact["Adam's V"]
    assert results_of((configuration | {"seed": 1}, inputs), "Adam's V") != intact["Adam's V"]


def test_larger_sketches_and_conservative_ones_are_closer(intact):
    v, m = intact["Adam's V"], intact["Momentum's M"]
    assert final(v, "count-min, global, 5x") < final(v, "count-min, global")
    assert final(m, "count-sketch, global, 5x") < final(m, "count-sketch, global")
    assert final(v, "count-min, conservative") < final(v, "count-min, global")
    assert final(v, "ℓ2 rank-1, lazy") < final(v, "NMF, lazy")


def minimum_for_median(patch):
    patch.setattr(CountSketchStore, "combine", lambda self, signed: signed.min(axis=0))


def largest_cell(patch):
    patch.setattr(CountMinStore, "combine", lambda self, signed: signed.max(axis=0))


def no_columns(patch):
    def estimate(self, rows):
        mean = self.left[rows] / self.dim
        return np.repeat(mean[:, None], self.dim, axis=1)

    patch.setattr(Rank1Store, "estimate", estimate)


@pytest.mark.parametrize(
    ("break_it", "variable", "store"),
    [
        (minimum_for_median, "Momentum's M", "count-sketch, global, 5x"),
        (largest_cell, "Adam's V", "count-min, global, 5x"),
        (no_columns, "Adam's V", "NMF, global"),
    ],
)
def test_a_broken_store_is_further_off(monkeypatch, configured, intact, break_it, variable, store):
    break_it(monkeypatch)
    broken = results_of(configured, variable)
    assert final(broken, store) > 1.2 * final(intact[variable], store)
    assert broken["norms"] == intact[variable]["norms"]


def test_summary_and_table(configured, intact):
    configuration, _ = configured

    def result_of(cell):
        return intact[cell["variable"]]

    summary = experiment.summarise(configuration, result_of)
    row = next(row for row in summary["rows"] if row["store"] == "count-min, conservative")
    store = intact["Adam's V"]["stores"]["count-min, conservative"]
    norms = np.array(intact["Adam's V"]["norms"]["global"])
    by_hand = np.median(np.array(store["distances"][0])[3:] / norms[3:])
    assert row["relative"][0] == pytest.approx(by_hand, rel=1e-3)
    assert len(row["relative"]) == configuration["draws"] and row["decay"] == "global"
    assert "count-min, conservative" in terminal(experiment.present(configuration, summary))


def test_what_is_not_finite_is_said():
    store = {"distances": [[1.0, 1.0, None, 2.0]], "active": [0.5]}
    figures = experiment._figures(store, [1.0, 1.0, 1.0, 1.0])
    assert figures["largest"] == [None]
    assert experiment._range([1.0, None]) == "not finite"
