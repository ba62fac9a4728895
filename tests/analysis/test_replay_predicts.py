"""What predicts training: correlations and advice found by hand, and a replay of a few steps."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.advice import early
from analysis.experiments import replay_predicts
from analysis.experiments.replay_predicts import EXPERIMENT
from analysis.lab.intervals import rank_correlation
from analysis.lab.study import Options
from analysis.training.loop import train


@pytest.fixture(scope="module")
def configuration():
    return EXPERIMENT.configure(Options(quick=True))[0]


def test_every_stored_comparison_is_taken_up(configuration):
    """By hand: the rows of the result files, but for exact state, each once and with its score."""
    results = Path(replay_predicts.RESULTS)
    groups = {(one["source"], one["family"]): one for one in configuration["groups"]}
    (study,) = json.loads((results / "pareto.json").read_text())["studies"]
    rows = [one for one in study["summary"]["parts"]["mach"] if one["state"] != "exact"]
    found = groups["pareto: mach", "RMSprop"]["rows"]
    assert [one["variant"] for one in found] == [one["variant"] for one in rows]
    assert [one["score"] for one in found] == [one["mean"] for one in rows]
    tasks = {one["task"] for one in configuration["groups"]}
    assert tasks == {"language", "mach", "logistic", "wikitext-lstm"}
    lost = groups["head-tail: logistic", "Adam"]["rows"]
    assert [one["variant"] for one in lost if one["score"] is None]  # one diverged
    for part, steps in (("language", 5000), ("parts alone", 2000)):
        assert groups[f"head-tail: {part}", "Adam"]["exact"]["steps"] == steps
    exact = groups["pareto: mach", "RMSprop"]["exact"]
    assert exact["learning_rate"] == 0.032 and exact["stores"]["v"]["kind"] == "Dense"
    assert json.loads(json.dumps(configuration)) == configuration


def test_a_replay_follows_exact_training_and_stops_early(configuration, monkeypatch):
    cell = next(c for c in EXPERIMENT.runs(configuration) if c["task"] == "logistic")
    cell = cell | {"replayed": cell["replayed"] | {"steps": 5}}
    taken = []

    def watched(*arguments):
        for step in train(*arguments):
            taken.append(step.number)
            yield step

    monkeypatch.setattr(early, "train", watched)
    result = EXPERIMENT.measure(cell, {"corpus": None})
    assert taken == [1, 2, 3, 4, 5] and not result["diverged"]
    assert 0 < result["errors"]["update, lazy"]["error"] < math.inf
    exact = {"stores": cell["stores"], "options": {}, "steps": 5}
    errors = EXPERIMENT.measure(cell | {"replayed": exact}, {"corpus": None})["errors"]
    assert errors["update, lazy"]["error"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("task", ["mach"])
def test_dense_gradients_are_replayed_too(configuration, task):
    cell = next(c for c in EXPERIMENT.runs(configuration) if c["task"] == task)
    cell = cell | {"replayed": cell["replayed"] | {"steps": 2}}
    result = EXPERIMENT.measure(cell, {"corpus": None})
    assert result["errors"]["v"]["rows"] > 2 * 1000  # all meta-classes, and some features


def group(task="language", scores=(1.0, 1.1, 1.5), measures=(0.1, 0.3, 0.2), ratio=5):
    rows = [
        {"variant": str(n), "exact_to_state": ratio, "score": score, "by": {"x": measure}}
        for n, (score, measure) in enumerate(zip(scores, measures))
    ]
    return {"source": task, "task": task, "family": "Adam", "rows": rows}


def test_advice_is_the_smallest_measure_that_fits():
    good, bad = group(), group("mach", measures=(0.2, None, 0.1))
    found = replay_predicts._judged([good, bad], "x")
    assert [one["budget"] for one in found["advice"]] == [4, 4]  # 1/16 fits none of them
    assert [one["chosen"] for one in found["advice"]] == ["0", "2"]
    assert [one["loss"] for one in found["advice"]] == pytest.approx([0.0, 0.5])
    assert found["held"] == 1 and found["correlations"] == []  # of three stores: too few
    lost = replay_predicts._judged([group(scores=(None, 1.0, 2.0))], "x")
    assert lost["advice"][0]["loss"] is None and lost["held"] == 0


def test_a_store_that_diverged_ranks_last():
    scores = (1.0, 1.1, 1.2, 1.3, None)
    found = replay_predicts._judged([group(scores=scores, measures=(1, 2, 3, 4, None))], "x")
    (one,) = found["correlations"]
    assert one["rho"] == pytest.approx(1) and one["stores"] == 5
    found = replay_predicts._judged([group(scores=scores, measures=(1, 2, 3, 4, 0))], "x")
    assert found["correlations"][0]["rho"] == pytest.approx(0)


def test_a_measure_that_a_family_has_not_is_left_out():
    found = replay_predicts._judged([group()], "m: error")
    assert found["advice"] == found["correlations"] == [] and found["mean"] is None


def test_intervals_of_rank_correlations_cover():
    """Normal pairs of known rank correlation, 20 each: 95 % intervals miss about one in twenty."""
    generator, true = np.random.default_rng(0), 0.6
    rank = 6 / np.pi * np.arcsin(true / 2)
    covered = 0
    for _ in range(400):
        x, noise = generator.standard_normal((2, 20))
        y = true * x + np.sqrt(1 - true**2) * noise
        _, low, high = rank_correlation(x.tolist(), y.tolist(), 0.05)
        covered += low <= rank <= high
    assert stats.binomtest(covered, 400, 0.95).pvalue > 1e-3
    assert rank_correlation([1, 2, 3, 4], [1, 1, 1, 1], 0.05) == (0.0, -1.0, 1.0)
    rho, low, high = rank_correlation(range(5), range(5), 0.05)
    assert rho == pytest.approx(1) and low < 0.5 and high == rho  # of five, not certain
