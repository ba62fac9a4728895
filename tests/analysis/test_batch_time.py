"""The time of an epoch against batch size, and what is said of the paper's 38 %."""

import pytest

from analysis.experiments import batch_time
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.problems import icd
from analysis.training import mach


@pytest.fixture
def configuration(monkeypatch):
    task = icd.build("made up", [f"disease {i}" for i in range(9_000)], ["illness"] * 5, [1] * 5)
    monkeypatch.setattr(icd, "load", lambda: task)
    return batch_time.configure(Options(quick=True))[0]


def _study(configuration, seconds):
    def result_of(settings):
        exact = settings["label"] == batch_time.BASELINE
        times = {str(batch): seconds(exact, batch) for batch in batch_time.BATCHES}
        fixed = 1_000_000 if exact else 400_000
        return {"epoch_seconds": times, "bytes": {"fixed": fixed, "each_name": 1_000}}

    summary = batch_time.summarise(configuration, result_of)
    return summary, terminal(batch_time.present(configuration, summary))


def test_what_is_saved_is_taken_apart(configuration):
    summary, text = _study(configuration, lambda exact, batch: (10 + 1500 / batch) * (1 + exact))
    saved = summary["saved"]
    assert saved["optimizer alone"] == pytest.approx(0.5)
    assert saved["batch alone"] == pytest.approx(1 - (10 + 1500 / 2600) / 12)
    assert 1 - saved["both"] == pytest.approx((1 - saved["batch alone"]) * 0.5)
    assert "The paper's 38% are there" in text


def test_a_claim_that_does_not_hold_is_said_not_to(configuration):
    _, text = _study(configuration, lambda exact, batch: 10.0)
    assert "0% less time" in text and "The paper's 38% are not there" in text


def test_memory_set_free_makes_room_for_names(configuration):
    summary, _ = _study(configuration, lambda exact, batch: 10.0)
    largest = summary["largest_batch"]
    assert largest.pop(batch_time.BASELINE) == 750
    assert set(largest.values()) == {750 + 600}


def test_a_cell_times_every_batch(configuration):
    settings = configuration["cells"][0] | {"batches": [20, 100], "examples": 200, "hidden": 4}
    result = mach.measure_time(settings, None)
    assert set(result["epoch_seconds"]) == {"20", "100"}
    assert all(seconds > 0 for seconds in result["epoch_seconds"].values())
    parameters = 4 * 4 * (icd.FEATURES + settings["meta_classes"])
    gradient = 4 * 4 * settings["meta_classes"]
    assert result["bytes"]["fixed"] == 3 * parameters + gradient
