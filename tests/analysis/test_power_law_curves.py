"""Sorted magnitudes, midpoints and persistence: by hand, and with a broken store."""

import numpy as np
import pytest

from analysis.checks import power_law
from analysis.experiments import power_law_curves as experiment
from analysis.lab.report import terminal
from analysis.lab.study import Options
from sketchlab.stores.dense import DenseStore


@pytest.fixture(scope="module")
def configured(corpus_file):
    configuration, inputs = experiment.configure(Options(quick=True, corpus=str(corpus_file)))
    return configuration | {"dim": 8, "steps": 40, "replicates": 2}, inputs


def measure(configured):
    configuration, inputs = configured
    return experiment.measure(experiment.runs(configuration)[0], inputs)


@pytest.fixture(scope="module")
def result(configured):
    return measure(configured)


def test_magnitudes_and_places_by_hand():
    rows = np.array([3, 7])
    found = experiment._sorted_and_top(rows, np.array([[1.0, -5.0], [0.0, 3.0]]))
    assert found["sorted"] == {"ranks": [1, 2, 3, 4], "magnitudes": [5.0, 3.0, 1.0, 0.0]}
    assert found["entries"] == {(3, 1), (7, 1), (3, 0), (7, 0)}
    assert found["rows"] == {3, 7}


def test_persistence_by_hand():
    def taken(entries):
        return [{"entries": entries, "rows": {row for row, _ in entries}}] * 3

    seen = [taken({(0, 0), (1, 0)}), taken({(0, 0), (2, 0)}), taken({(0, 1), (2, 0)})]
    kept = experiment._persistence(seen)
    assert kept["entries"]["V"] == [0.5, 0.0, 0.5]
    assert kept["rows"]["V"] == [0.5, 0.5, 1.0]


@pytest.mark.parametrize("exponent", [0.5, 1.5])
def test_exponent_of_a_power_law_is_found(exponent):
    values = np.arange(1.0, 20_001).reshape(-1, 2) ** -exponent
    curve = experiment._sorted_and_top(np.arange(10_000), values)["sorted"]
    assert experiment._exponent(curve) == pytest.approx(exponent, rel=0.01)


def test_snapshots_are_three_distinct_steps():
    assert experiment.snapshots(3000) == [375, 1500, 3000]
    for steps in range(3, 40):
        first, second, third = experiment.snapshots(steps)
        assert 1 <= first < second < third == steps


def test_curves_fall_and_shares_are_shares(result):
    for curves in result["sorted"].values():
        for three in curves.values():
            assert len(three) == 3
            assert all((np.diff(curve["magnitudes"]) <= 0).all() for curve in three)
    for kinds in result["kept"].values():
        assert all(0 <= share <= 1 for kind in kinds.values() for s in kind.values() for share in s)
    for kinds in result["midpoints"].values():
        assert len(kinds["all"]) == len(result["steps"])
        assert (np.array(kinds["all"]) > 0).all() and (np.array(kinds["touched"]) <= 0.5).all()


def test_a_store_that_answers_the_same_for_all_has_no_power_law(monkeypatch, configured, result):
    monkeypatch.setattr(
        DenseStore, "table", property(lambda self: np.ones((self.n, self.dim), self.dtype))
    )
    broken = measure(configured)
    for name in experiment.TABLES:
        assert np.array(broken["midpoints"][name]["all"])[:, 1:] == pytest.approx(0.5, abs=0.01)
        assert np.array(result["midpoints"][name]["all"])[:, 1:].max() < 0.45
        assert broken["midpoints"][name]["all"][-1][0] == result["midpoints"][name]["all"][-1][0]
        for variable in ("M", "V"):
            assert broken["kept"][name]["entries"][variable] == [1, 1, 1]
            assert experiment._exponent(broken["sorted"][name][variable][-1]) == 0


def test_it_measures_what_the_claim_measures(configured, result, corpus_file):
    """The same run, seen by the check: the same midpoints at the same steps."""
    configuration, _ = configured
    corpus = power_law.text.load(str(corpus_file))
    epoch = len(corpus.positions["train"]) / power_law.BATCH
    settings = {"dim": configuration["dim"], "epochs": [configuration["steps"] / epoch]}
    sequence = np.random.SeedSequence(configuration["seed"], spawn_key=(0,))
    claimed = power_law.measure(settings, sequence, str(corpus_file))["midpoints"]
    last = {name: found[-1]["all"] for name, found in claimed.items()}
    for name in experiment.TABLES:
        assert last[name] == pytest.approx(result["midpoints"][name]["all"][-1], rel=1e-3)


def test_summary_and_table(configured, result):
    configuration, _ = configured
    summary = experiment.summarise(configuration, lambda _: result)
    row = summary["rows"][2]
    assert (row["table"], row["variable"]) == ("embedding", "V")
    along = np.array(result["midpoints"]["embedding"]["all"])[:, 2]
    assert row["midpoint"] == pytest.approx(along.mean())
    assert row["highest_midpoint"] == along.max() and row["midpoint_std"] == 0
    assert row["kept_entries"] == result["kept"]["embedding"]["entries"]["V"]
    assert f"{along.mean():.3f}" in terminal(experiment.present(configuration, summary))
