"""The Wikitext-2 set-up without PyTorch: what is asked for, what is refused, and the table."""

import sys

import pytest

from analysis.__main__ import main
from analysis.experiments import wikitext_lstm as experiment
from analysis.lab import machine
from analysis.lab.errors import UsageError
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.problems import split_text
from analysis.theory.published import perplexity_to_exact
from analysis.training import wikitext
from analysis.training.curves import mean_curve


@pytest.fixture
def configuration(corpus_file):
    return experiment.EXPERIMENT.configure(Options(quick=True, corpus=str(corpus_file)))[0]


def summary_of(configuration, score_of):
    """Sum up made-up results."""

    def result_of(settings):
        score = score_of(settings)
        return {
            "score": score,
            "diverged": score is None,
            "state_bytes": 0 if "SGD" in settings["variant"] else 1000,
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
    assert "114.0 ± 2.0" in line and "+9.6 %" in line and "+3.9 % (4)" in line
    assert "300.0 → 300.0 → 200.0" in line and "2, 2, 2" in line
    assert summary["rows"][0]["curve"][0] == {"epoch": 1, "mean": 300, "std": 0}


def test_every_row_of_a_family_is_set_beside_its_exact_state(configuration):
    rows = summary_of(configuration, lambda run: 100.0)["rows"]
    assert {row["family"] for row in rows} == {"Adam", "Momentum"}
    assert all(row["score_to_exact"] == 1 for row in rows)
    assert [row["exact_to_state"] for row in rows if row["form"] == "SGD"] == [None]


def test_table_does_not_hide_diverged_runs(configuration):
    summary = summary_of(configuration, lambda run: None if run["replicate"] == 2 else 100.0)
    text = terminal(experiment.present(configuration, summary))
    assert text.count("100.0 ± 0.0 (1 diverged)") == len(experiment.VARIANTS)
    summary = summary_of(configuration, lambda run: None)
    text = terminal(experiment.present(configuration, summary))
    assert text.count(" diverged ") == len(experiment.VARIANTS)


def test_published_ratios_are_those_of_the_paper():
    assert perplexity_to_exact("3", "CS") == "+1.8 % (3)"
    assert perplexity_to_exact("4", "CS-V") == "+1.1 % (4)"
    assert perplexity_to_exact("4", "LR-NMF-V") == "+1.0 % (4)"
    assert perplexity_to_exact("9", "CS-V") == "-0.1 % (9)"
    assert perplexity_to_exact("4", "no M") == ""


def test_a_run_that_ended_early_counts_as_long_as_it_lasted():
    curves = [
        {"epoch": [1, 2, 3], "perplexity": [10.0, 8.0, 6.0]},
        {"epoch": [1, 2], "perplexity": [12.0, 8.0]},
    ]
    assert mean_curve(curves) == [
        {"epoch": 1, "mean": 11.0, "std": 1.41},
        {"epoch": 2, "mean": 8.0, "std": 0.0},
        {"epoch": 3, "mean": 6.0, "std": None},
    ]
    assert mean_curve([]) == []


def test_workload_is_what_the_stages_run(configuration):
    entry = experiment.EXPERIMENT

    def result_of(run):
        return {"score": 100 + run["learning_rate"], "diverged": False}

    cells = [cell for stage in entry.stages(configuration, result_of) for cell in stage]
    cost, number = entry.workload(configuration)
    assert number == len(cells) == len(experiment.VARIANTS) * 6
    assert cost == sum(map(entry.cost, cells))


def test_tries_are_shorter_and_never_see_the_test_text(configuration):
    variant = experiment.VARIANTS[0]
    tried, run = (wikitext.settings(configuration, variant, 0.1, number) for number in (0, 1))
    assert tried["epochs"] < run["epochs"]
    assert tried["split"] == "validation" and run["split"] == "test"


def test_published_size(corpus_file, monkeypatch):
    monkeypatch.setattr(wikitext, "device", lambda wanted: wanted)
    asked = Options(paper=True, corpus=str(corpus_file))
    configuration, _ = experiment.EXPERIMENT.configure(asked)
    names = ("layers", "width", "dim", "epochs", "dropout", "cuts", "device")
    assert [configuration[name] for name in names] == [2, 672, 672, 40, 0.5, None, "cuda"]
    assert configuration["base_rates"] == {"Momentum": 2.5, "Adam": 1e-3}
    assert configuration["common"]["corpus"]["train"] == 9_600


def test_a_folders_own_vocabulary_is_kept(tmp_path, monkeypatch):
    words = " ".join(f"w{number}" for number in range(12_000))
    for name in ("train.txt", "valid.txt", "test.txt"):
        (tmp_path / name).write_text(words)
    known = {}
    for quick in (True, False):
        asked = Options(quick=quick, corpus=str(tmp_path))
        configuration, _ = experiment.EXPERIMENT.configure(asked)
        known[quick] = configuration["common"]["corpus"]["vocabulary"]
        run = wikitext.settings(configuration, experiment.VARIANTS[0], 0.1, 1)
        assert run["words"] == configuration["words"]
    assert known == {True: 3_000, False: 12_002}  # <unk> and <eos> besides


def test_published_size_is_refused_where_there_is_none(capsys):
    assert main(["run", "--paper", "wikitext-lstm", "memory"]) == 2
    assert "--paper: memory cannot be run in the published size" in capsys.readouterr().err


def test_missing_pytorch_is_one_line(monkeypatch, corpus_file, configuration):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("analysis.training.neural")]:
        monkeypatch.delitem(sys.modules, name)
    settings = wikitext.settings(configuration, experiment.VARIANTS[0], 0.1, 1)
    with pytest.raises(UsageError, match=r"PyTorch is not installed: .*'sketchlab\[paper\]'"):
        wikitext.measure(settings, {"corpus": str(corpus_file)})


def test_folder_without_a_part_is_one_line(capsys, tmp_path):
    (tmp_path / "train.txt").write_text("a b c\n" * 3_000)
    assert main(["run", "wikitext-lstm", "--quick", "--corpus", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "has no validation file" in line


def test_vocabulary_over_memory_is_one_line_with_the_bytes(capsys, corpus_file, monkeypatch):
    monkeypatch.setattr(machine, "available", lambda: 10**5)
    assert main(["run", "wikitext-lstm", "--quick", "--corpus", str(corpus_file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    words = split_text.load(str(corpus_file)).vocabulary
    needed = wikitext.model_bytes(words, experiment.SIZES["quick"])
    assert f"{needed:,} bytes" in line and f"vocabulary of {words} words" in line


def test_bytes_are_those_of_the_model():
    size = {"dim": 3, "width": 5, "layers": 2}
    gates = 4 * 5 * (3 + 5 + 2) + 4 * 5 * (5 + 5 + 2)
    numbers = 4 * 1000 * 3 + 5 * (gates + 1000 * 6) + 3 * wikitext.DECODED * 1000
    assert wikitext.model_bytes(1000, size) == 4 * numbers


def test_steps_are_refused(capsys):
    assert main(["run", "wikitext-lstm", "--steps", "5"]) == 2
    assert "--steps 5: wikitext-lstm counts epochs" in capsys.readouterr().err
