"""Every pair of stores for Adam's moments takes steps, and the table hides no divergence."""

import numpy as np
import pytest

from analysis.experiments import pairings
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.training.optimizers import optimizer


@pytest.fixture
def configuration(corpus_file):
    return pairings.EXPERIMENT.configure(Options(quick=True, corpus=str(corpus_file)))[0]


@pytest.mark.parametrize("names", pairings.PAIRS, ids=" / ".join)
def test_every_pair_takes_steps(names):
    table = np.zeros((300, 4), np.float32)
    settings = pairings.PAIRS[names].settings() | {"learning_rate": 0.1}
    settings["options"] |= {"backend": "reference"}  # nothing to compile
    made = optimizer(settings, table, iter([1, 2]))
    for step in range(3):
        made.step(np.ones((2, 4)), rows=[step, 250])
    assert (table[[0, 1, 2, 250]] < 0).all() and np.isfinite(table).all()


def test_only_a_lazy_m_over_a_global_v_goes_without_clip(configuration):
    missing = {
        (m, v)
        for m in pairings.FIRST
        for v in pairings.SECOND
        if (m, v, "clip") not in pairings.PAIRS
    }
    assert missing == {
        (m, v)
        for m in ("exact, lazy", "sketch, lazy")
        for v in ("conservative", "head-tail", "rank-1")
    }


def test_workload_is_what_runs(configuration):
    (cells,) = pairings.EXPERIMENT.stages(configuration)
    assert len({str(cell) for cell in cells}) == len(cells)
    seconds, number = pairings.EXPERIMENT.workload(configuration)
    assert number == len(cells)
    assert seconds == pytest.approx(sum(map(pairings.cost, cells)))


def test_table_tells_what_diverged(configuration):
    def result_of(settings):
        always = "sketch, w" in settings["variant"]
        once = "exact, w" in settings["variant"] and settings["replicate"] == 2
        return {"score": None if always or once else 80.0, "diverged": always or once}

    summary = pairings.EXPERIMENT.summarise(configuration, result_of)
    by_m = {row["m"]: row["runs"][0] for row in summary["rows"]}
    assert by_m["sketch, w"] == {
        "learning_rate": 0.008,
        "scores": [None] * 3,
        "diverged": 3,
        "mean": None,
    }
    assert by_m["exact, w"]["diverged"] == 1 and by_m["exact, w"]["mean"] == 80
    text = terminal(pairings.present(configuration, summary))
    lines = [line for line in text.splitlines() if line.startswith("sketch, w")]
    assert len(lines) == len(pairings.SECOND)
    assert all(line.count("diverged") == 2 for line in lines)
    assert text.count("80 (1 diverged)") == 2 * len(pairings.SECOND)
