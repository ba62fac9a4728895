"""Claims through the runner: one table, an exit code, a file with everything, other executors."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from analysis import catalogue
from analysis.__main__ import main
from analysis.checks import CLAIMS, claim
from analysis.lab.runner import run
from analysis.lab.study import Options

NAME = "lemma-b2"


@pytest.fixture
def tiny(monkeypatch):
    """`make(name, **changes)` puts a claim of tiny size into the catalogue."""

    def make(name, **changes):
        claim = CLAIMS[name]
        sizes = {"quick": claim.sizes["tiny"], "full": claim.sizes["tiny"]}
        entry = replace(claim, sizes=sizes, **changes).experiment()
        monkeypatch.setitem(catalogue.CATALOGUE, name, entry)
        return entry

    return make


def test_expected_verdicts_give_exit_code_0(tiny, tmp_path, capsys):
    tiny(NAME), tiny("merge-fold")
    arguments = ["run", NAME, "merge-fold", "--quick", "--jobs", "1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "Claims: 2 of 2 with the expected verdict" in printed
    assert "growth 0.09 > 0.068 while the count-min bound holds" in printed
    before = (tmp_path / f"{NAME}.json").read_text()
    assert main(arguments) == 0
    assert json.loads(before)["runs"] == json.loads((tmp_path / f"{NAME}.json").read_text())["runs"]
    capsys.readouterr()
    assert main(["report", "--markdown", "--out", str(tmp_path)]) == 0
    assert "| merge-fold | holds   | holds " in capsys.readouterr().out


def test_report_tells_the_sizes_of_a_claim_apart(tiny, tmp_path, capsys):
    tiny(NAME)
    for size in ("--quick", "--full"):
        main(["run", NAME, size, "--jobs", "1", "--out", str(tmp_path)])
        (line,) = [
            row for row in capsys.readouterr().out.splitlines() if row.startswith(f"{NAME} ")
        ]
        assert line.split()[-1] == size.removeprefix("--")
    assert main(["report", "--out", str(tmp_path)]) == 0
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith(f"{NAME} ")]
    assert [row.split()[-1] for row in rows] == ["quick", "full"]


def test_an_unexpected_verdict_gives_exit_code_1(tiny, tmp_path, capsys):
    tiny(NAME, expected="holds")
    assert main(["run", NAME, "--jobs", "1", "--out", str(tmp_path)]) == 1
    assert "refuted (!)" in capsys.readouterr().out


def test_file_holds_all_that_makes_the_figure_again(tiny, tmp_path):
    study = run_in_threads(tiny(NAME), tmp_path)
    (kept,) = json.loads((tmp_path / f"{NAME}.json").read_text())["studies"]
    assert kept == study
    summary = kept["summary"]
    wanted = ["name", "statement", "source", "verdict", "expected", "measured", "bound"]
    assert set(summary) >= {*wanted, "interval", "draws", "comparisons", "seed", "note", "curves"}
    assert (summary["verdict"], summary["expected"]) == ("refuted", "refuted")
    assert kept["configuration"]["size"] == CLAIMS[NAME].sizes["tiny"]
    assert kept["made_by"][0]["revision"] and kept["seconds"] > 0
    assert CLAIMS[NAME].find("tiny", seed=3)._asdict().items() <= summary.items()


def test_a_claim_has_its_share_of_the_error_and_says_so(tiny, tmp_path, monkeypatch, capsys):
    """Another claim, by whatever file it is defined, leaves all of them a smaller share."""
    few = run_in_threads(tiny("depth"), tmp_path)["summary"]
    assert few["error"] == claim.FAMILYWISE_ERROR / len(CLAIMS)
    assert main(["report", "--out", str(tmp_path)]) == 0
    assert f"miss with probability {few['error']:.3g} at most" in capsys.readouterr().out
    for number in range(5 * len(CLAIMS)):
        monkeypatch.setitem(CLAIMS, f"another {number}", CLAIMS["depth"])
    many = run_in_threads(tiny("depth"), tmp_path)["summary"]
    assert many["error"] == claim.FAMILYWISE_ERROR / len(CLAIMS) < few["error"] / 5
    assert many["interval"][0] < few["interval"][0] < few["interval"][1] < many["interval"][1]


def test_damaged_file_is_made_anew(tiny, tmp_path, capsys):
    entry = tiny(NAME)
    (tmp_path / f"{NAME}.json").write_text("{")
    assert run_in_threads(entry, tmp_path)["summary"]["verdict"] == "refuted"
    assert "is damaged" in capsys.readouterr().err


def test_groups_name_several():
    assert [entry.name for entry in catalogue.chosen(["claims"])] == list(CLAIMS)
    assert [entry.name for entry in catalogue.chosen(["depth", "claims", "depth"])] == list(CLAIMS)
    assert [entry.name for entry in catalogue.chosen(["depth"])] == ["depth"]


def run_in_threads(entry, folder):
    with ThreadPoolExecutor(1) as executor:
        return run_with(executor, entry, folder)


def run_with(executor, entry, folder):
    configuration, inputs = entry.configure(Options(quick=True, seed=3))
    return run(entry, configuration, inputs, folder, executor, progress=False)
