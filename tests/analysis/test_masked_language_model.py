"""The masked language model without PyTorch: the table, and what is refused."""

import pytest

from analysis.__main__ import main
from analysis.experiments import masked_language_model as experiment
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.training import bert


@pytest.fixture
def configuration(corpus_file):
    return experiment.EXPERIMENT.configure(Options(quick=True, corpus=str(corpus_file)))[0]


def test_rows_are_set_beside_their_family_and_beside_adam(configuration):
    scores = {"Adam exact (lazy)": 100.0, "RMSprop exact (lazy)": 110.0}

    def result_of(run):
        score = scores.get(run["variant"], 121.0)
        return {"score": score, "diverged": False, "state_bytes": 1000}

    summary = experiment.EXPERIMENT.summarise(configuration, result_of)
    text = terminal(experiment.present(configuration, summary))
    line = next(line for line in text.splitlines() if line.startswith("RMSprop") and "CMS" in line)
    assert "121.0 ± 0.0" in line and "+10.0%" in line and "+21.0%" in line
    assert "Adam 4.04, CMS-RMSprop 4.18" in text


def test_diverged_rows_are_shown(configuration):
    def result_of(_):
        return {"score": None, "diverged": True, "state_bytes": 1000}

    summary = experiment.EXPERIMENT.summarise(configuration, result_of)
    text = terminal(experiment.present(configuration, summary))
    assert text.count(" diverged ") == len(experiment.VARIANTS)


def test_tries_see_validation_text_alone(configuration):
    tried, run = (
        bert.settings(configuration, experiment.VARIANTS[0], 0.1, number) for number in (0, 1)
    )
    assert (tried["split"], run["split"]) == ("validation", "test")
    assert tried["epochs"] == run["epochs"]


def test_steps_are_refused(capsys):
    assert main(["run", "masked-language-model", "--steps", "5"]) == 2
    assert "masked-language-model counts epochs" in capsys.readouterr().err
