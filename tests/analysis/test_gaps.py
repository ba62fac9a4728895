"""Gaps against exact state: pairs of seeds, the power law, and the tables."""

import math

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.experiments import gap_against_steps, gap_against_what
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.training import gaps


def test_seeds_are_paired():
    row, exact = {"scores": [110.0, None, 300.0]}, {"scores": [100.0, 100.0, 400.0]}
    assert gaps.paired(row, exact) == pytest.approx([0.1, None, -0.25])
    assert gaps.paired(exact, row)[1] is None


def test_gaps_as_text():
    assert gaps.text([0.1, 0.2]) == "+15.0 ± 7.1 %"
    assert gaps.text([0.1, None]) == "+10.0 % (1 diverged)"
    assert gaps.text([None, None]) == "diverged"


def test_power_law_is_found():
    law = gaps.power_law([(x, 3 * x**-0.5) for x in (10, 20, 40, 80)])
    assert law.slope == pytest.approx(-0.5) and math.exp(law.intercept) == pytest.approx(3)
    assert law.at(1000) == pytest.approx([3 * 1000**-0.5] * 3)


def test_no_power_law_without_points_for_it():
    assert gaps.power_law([(1, 0.1), (2, 0.1)]) is None
    assert gaps.power_law([(1, 0.1), (1, 0.2), (1, 0.3)]) is None
    assert gaps.power_law([(1, 0.1), (2, 0.1), (3, 0.0)]) is None


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of 1,000 draws 95 %: four deviations of a binomial are 2.8 %."""
    generator = np.random.default_rng(0)
    x = np.repeat([10.0, 20, 40, 80], 3)
    slopes = places = 0
    for _ in range(1000):
        noisy = np.exp(np.log(3) - 0.5 * np.log(x) + 0.2 * generator.standard_normal(12))
        law = gaps.power_law(list(zip(x, noisy)))
        low, high = law.slopes()
        slopes += low < -0.5 < high
        _, low, high = law.at(1000)
        places += low < 3 * 1000**-0.5 < high
    assert abs(slopes / 1000 - 0.95) < 0.028 and abs(places / 1000 - 0.95) < 0.028


def score_of(settings):
    """100 for exact state; a gap that falls with epochs, and grows with what is sketched."""
    if "exact" in settings["variant"]:
        return 100.0
    compression = settings["stores"]["v"]["compression"]
    parts = len(settings["sketched"])
    return 100 * (1 + 0.01 * parts * math.log2(compression) / settings["epochs"])


def made_up(settings):
    return {"score": score_of(settings), "diverged": False, "state_bytes": 1000}


@pytest.fixture
def configured(corpus_file):
    def of(experiment):
        return experiment.configure(Options(quick=True, corpus=str(corpus_file)))[0]

    return of


def test_table_of_what_is_sketched(configured):
    experiment = gap_against_what.EXPERIMENT
    configuration = configured(experiment)
    summary = experiment.summarise(configuration, made_up)
    found = {(one["sketched"], one["compression"]): one["gaps"] for one in summary["gaps"]}
    assert len(found) == 16
    for (what, compression), seeds in found.items():
        parts = len(gap_against_what.PARTS[what])
        assert seeds == pytest.approx([0.01 * parts * math.log2(compression) / 3] * 3)
    text = terminal(experiment.present(configuration, summary))
    assert "everything" in text and f"{100 * 0.03 * math.log2(100) / 3:+.1f} ± 0.0 %" in text


def test_parts_reach_the_runs(configured):
    configuration = configured(gap_against_what.EXPERIMENT)
    (first, *_) = gap_against_what.EXPERIMENT.stages(configuration, made_up)
    parts = {run["variant"]: tuple(run["sketched"]) for run in first}
    assert parts["Adam CS-MV (embedding, 20x)"] == ("embedding",)
    assert parts["Adam CS-MV (everything, 2x)"] == ("embedding", "layers", "output")
    assert len(parts) == 17


def test_table_of_lengths(configured):
    experiment = gap_against_steps.EXPERIMENT
    configuration = configured(experiment)
    summary = experiment.summarise(configuration, made_up)
    embedding, both, _ = summary["ways"]
    assert [point["epochs"] for point in both["points"]] == [1, 2, 4]
    assert both["points"][1]["gaps"] == pytest.approx([0.01 * math.log2(5)] * 3)
    assert embedding["points"][1]["gaps"] == pytest.approx([0.005 * math.log2(5)] * 3)
    assert both["fit"]["slope"] == pytest.approx(-1)
    text = terminal(experiment.present(configuration, summary))
    assert "+2.3 ± 0.0 %" in text and "-1.00 (-1.00 to -1.00)" in text


def test_lengths_at_which_exact_state_overfits_are_not_fitted(configured):
    """At the longest one all that is exact is worse again; the others keep their gaps."""
    experiment = gap_against_steps.EXPERIMENT
    configuration = configured(experiment)

    def overfits(run):
        longest = run["epochs"] == max(configuration["lengths"])
        worse = {"score": 1.5 * made_up({**run, "epochs": 1})["score"]}
        exact = run["variant"] == gap_against_steps.VARIANTS[0].name
        return made_up(run) | (worse if longest and exact else {})

    improving = {1: 200.0, 2: 100.0, 4: 120.0}
    rows_of = {length: [{"mean": mean}] for length, mean in improving.items()}
    assert gap_against_steps._improving(rows_of) == 2
    assert gap_against_steps._improving({1: [{"mean": None}], 2: [{"mean": None}]}) == 2
    summary = experiment.summarise(configuration, overfits)
    assert summary["improving"] < max(configuration["lengths"])
    both = summary["ways"][1]
    assert both["fit"] != both["fit_of_all"]
    assert "To all lengths" in terminal(experiment.present(configuration, summary))


def test_no_law_is_said(configured):
    experiment = gap_against_steps.EXPERIMENT
    configuration = configured(experiment)
    summary = experiment.summarise(configuration, lambda run: made_up(run) | {"score": 100.0})
    assert all(way["fit"] is None for way in summary["ways"])
    assert "none" in terminal(experiment.present(configuration, summary))
    summary = experiment.summarise(
        configuration, lambda run: made_up(run) | {"score": None, "diverged": True}
    )
    assert "diverged" in terminal(experiment.present(configuration, summary))


def test_every_length_has_its_own_tries(configured):
    experiment = gap_against_steps.EXPERIMENT
    configuration = configured(experiment)
    stages = list(experiment.stages(configuration, made_up))
    cost, number = experiment.workload(configuration)
    cells = [cell for stage in stages for cell in stage]
    assert len(cells) == number == 3 * 4 * 6 and cost == sum(map(experiment.cost, cells))
    for length in (1, 2, 4):
        tries = [cell for cell in stages[0] if cell["epochs"] == length]
        assert len({cell["learning_rate"] for cell in tries}) == 3 and len(tries) == 12


@pytest.mark.parametrize("name", ["gap-against-what", "gap-against-steps"])
def test_steps_are_refused(capsys, name):
    assert main(["run", name, "--steps", "5"]) == 2
    assert f"--steps 5: {name} counts epochs" in capsys.readouterr().err
