"""What is in results/: every run is recognised by its settings, and gives its stored summary."""

from pathlib import Path

import pytest

from analysis.catalogue import CATALOGUE
from analysis.checks import CLAIMS, claim
from analysis.lab import machine
from analysis.lab.results import Record, key_of, read
from analysis.lab.study import Options
from analysis.timing import gpu_events

STORED = sorted((Path(__file__).resolve().parents[2] / "results").glob("*.json"))

#: What a configuration holds of the machine, or of the texts' package, and of no choice of ours.
OF_THE_MACHINE = ("corpus", "given", "common", "torch", "threads", "wait_policy", "left_out")


def of(path):
    experiment = CATALOGUE[path.stem]
    return experiment, Record(path.parent, experiment).result_of, read(path)["studies"]


def test_there_are_stored_results():
    assert len(STORED) >= 32


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_every_run_is_recognised(path):
    experiment, result_of, studies = of(path)
    for study in studies:
        for stage in experiment.stages(study["configuration"], result_of):
            assert all(result_of(settings) is not None for settings in stage)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_runs_give_the_stored_summary(path, monkeypatch):
    experiment, result_of, studies = of(path)
    for study in studies:
        if experiment.expected is not None:  # at the level of that time, with as many claims
            level = study["summary"]["error"]
            monkeypatch.setattr(claim, "FAMILYWISE_ERROR", level * len(CLAIMS))
        same(experiment.summarise(study["configuration"], result_of), study["summary"])


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_the_command_asks_for_what_is_stored(path, monkeypatch):
    monkeypatch.setattr(machine, "available", lambda: None)  # a small machine may ask, too
    experiment, _, studies = of(path)
    # or one without the GPU that was timed
    monkeypatch.setattr(gpu_events, "why_not", lambda: None)
    monkeypatch.setattr(gpu_events, "device", lambda: studies[0]["configuration"]["device"])
    configuration, _ = experiment.configure(Options())
    assert key_of(ours(configuration)) in {key_of(ours(one["configuration"])) for one in studies}


def ours(configuration):
    """A configuration but for what another machine would have put into it."""
    if isinstance(configuration, dict):
        items = configuration.items()
        return {name: ours(value) for name, value in items if name not in OF_THE_MACHINE}
    return configuration


def same(summary, stored):
    """Equal but for the last bits, in which versions of SciPy differ."""
    if isinstance(stored, dict):
        assert set(summary) == set(stored)
        for name in stored:
            same(summary[name], stored[name])
    elif isinstance(stored, list):
        assert len(summary) == len(stored)
        for one, other in zip(summary, stored, strict=True):
            same(one, other)
    elif isinstance(stored, float):
        assert summary == pytest.approx(stored, rel=1e-9)
    else:
        assert summary == stored
