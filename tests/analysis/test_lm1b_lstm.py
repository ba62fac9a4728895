"""The LM1B set-up without PyTorch: what is asked for, what is refused, and the table."""

import sys

import pytest

from analysis.__main__ import main
from analysis.experiments import lm1b_lstm as experiment
from analysis.lab import machine
from analysis.lab.errors import UsageError
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.problems import split_text
from analysis.training import lm1b


@pytest.fixture
def configuration(corpus_file):
    return experiment.EXPERIMENT.configure(Options(quick=True, corpus=str(corpus_file)))[0]


def summary_of(configuration, score_of):
    """Sum up made-up results."""

    def result_of(settings):
        return {
            "score": score_of(settings),
            "diverged": score_of(settings) is None,
            "state_bytes": 1000,
            "steps": 77,
            "active_rows": {"embedding": 10.0, "output": 20.0},
            "curve": {"epoch": [1, 2, 3], "perplexity": [300.0, 200.0, 210.0]},
        }

    return experiment.EXPERIMENT.summarise(configuration, result_of)


def test_table_sets_scores_beside_exact_and_beside_the_paper(configuration):
    summary = summary_of(
        configuration,
        lambda run: (100.0 if "exact (lazy)" in run["variant"] else 110.0) + 2 * run["replicate"],
    )
    text = terminal(experiment.present(configuration, summary))
    line = next(line for line in text.splitlines() if "CS-MV" in line)
    assert "114.0 ± 2.0" in line and "+9.6 %" in line and "+1.6 % (9)" in line
    words = configuration["common"]["corpus"]["vocabulary"]
    share = f"{10 / (words / 15):.2f} (embedding) and {20 / (words / 15):.2f} (output)"
    assert share in text and "77 steps" in text


def test_table_does_not_hide_diverged_runs(configuration):
    summary = summary_of(configuration, lambda run: None)
    text = terminal(experiment.present(configuration, summary))
    assert text.count(" diverged ") == len(experiment.VARIANTS)


def test_small_vocabulary_is_said(configuration):
    def said(words):
        text = configuration["common"]["corpus"] | {"vocabulary": words}
        changed = configuration | {"common": configuration["common"] | {"corpus": text}}
        return [note for note in lm1b.about(changed) if "smaller than the 60,000" in note]

    assert said(59_999) and not said(60_000)


def test_batches_are_in_proportion_to_the_vocabulary():
    assert lm1b.batches(793_471) == {"batch": 1024, "segment": 20, "samples": 8192}
    assert lm1b.batches(93_523) == {"batch": 121, "segment": 20, "samples": 966}
    assert lm1b.batches(100) == {"batch": 1, "segment": 20, "samples": 1}


def test_tries_are_as_long_as_runs_and_never_see_the_test_text(configuration):
    variant = experiment.VARIANTS[0]
    tried, run = (lm1b.settings(configuration, variant, 0.1, number) for number in (0, 1))
    assert tried["epochs"] == run["epochs"]
    assert tried["split"] == "validation" and run["split"] == "test"


def test_published_size(corpus_file, monkeypatch):
    monkeypatch.setattr(lm1b.wikitext, "device", lambda wanted: wanted)
    asked = Options(paper=True, corpus=str(corpus_file))
    configuration, _ = experiment.EXPERIMENT.configure(asked)
    names = ("width", "dim", "epochs", "device")
    assert [configuration[name] for name in names] == [2048, 256, 5, "cuda"]


def test_missing_pytorch_is_one_line(monkeypatch, corpus_file, configuration):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("analysis.training.sampled", "analysis.training.neural"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    settings = lm1b.settings(configuration, experiment.VARIANTS[0], 0.1, 1)
    with pytest.raises(UsageError, match=r"PyTorch is not installed: .*'sketchlab\[paper\]'"):
        lm1b.measure(settings, {"corpus": str(corpus_file)})


def test_vocabulary_over_memory_is_one_line_with_the_bytes(capsys, corpus_file, monkeypatch):
    monkeypatch.setattr(machine, "available", lambda: 10**4)
    assert main(["run", "lm1b-lstm", "--quick", "--corpus", str(corpus_file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    words = split_text.load(str(corpus_file)).vocabulary
    needed = lm1b.model_bytes(words, experiment.SIZES["quick"])
    assert f"{needed:,} bytes" in line and f"vocabulary of {words} words" in line


def test_steps_are_refused(capsys):
    assert main(["run", "lm1b-lstm", "--steps", "5"]) == 2
    assert "--steps 5: lm1b-lstm counts epochs" in capsys.readouterr().err
