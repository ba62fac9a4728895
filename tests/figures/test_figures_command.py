"""Missing, damaged and foreign results, wrong names: one line each, and exit code 2."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_results import make

from figures import FIGURES
from figures.__main__ import main
from figures.common.reading import studies

ROOT = Path(__file__).resolve().parents[2]
NAME = "decay-stability"


@pytest.fixture
def folder(tmp_path, corpus_file):
    """A folder with one finished study."""
    made = tmp_path / "results"
    made.mkdir()
    make(NAME, made, corpus_file)
    return made


def drawn(folder, *names, out="out"):
    arguments = [*names, "--results", str(folder), "--out", str(folder.parent / out)]
    return main(arguments)


def the_line(capsys):
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


def change(folder, alter):
    path = folder / f"{NAME}.json"
    content = json.loads(path.read_text())
    alter(content)
    path.write_text(json.dumps(content))


def test_what_is_there_is_drawn(folder, capsys):
    assert drawn(folder, NAME) == 0
    printed = capsys.readouterr()
    assert f"{NAME}.png" in printed.out and printed.err == ""
    assert (folder.parent / "out" / f"{NAME}.pdf").exists()
    assert main([NAME, "--no-pdf", "--results", str(folder), "--out", str(folder / "png")]) == 0
    assert {path.suffix for path in (folder / "png").iterdir()} == {".png", ".md"}


def test_missing_results_name_their_command(folder, capsys):
    assert drawn(folder, "sgd-rate") == 2
    line = the_line(capsys)
    assert f"no finished results of sgd-rate in {folder}" in line
    assert "`python -m analysis run sgd-rate --out" in line and "--quick" in line


def test_the_rest_is_drawn_and_all_that_is_missing_is_one_line(folder, capsys):
    assert drawn(folder) == 2
    *left_out, line = capsys.readouterr().err.splitlines()
    assert all(text.startswith("left out: ") for text in left_out)
    assert line.startswith("error: ")
    assert "language-model" in line and "theorem-4-1" in line and NAME not in line
    assert (folder.parent / "out" / f"{NAME}.png").exists()


def test_what_an_extra_must_make_is_left_out_unless_it_is_named(folder, monkeypatch, capsys):
    here = {name: FIGURES[name] for name in (NAME, "gap-against-steps")}
    monkeypatch.setattr("figures.__main__.FIGURES", here)
    assert drawn(folder) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("left out: gap-against-steps") and "extra paper" in line
    assert drawn(folder, "gap-against-steps") == 2
    assert "no finished results of gap-against-steps" in the_line(capsys)


def test_an_unfinished_study_is_missing(folder, capsys):
    change(folder, lambda content: content["studies"][0].update(summary=None))
    assert drawn(folder, NAME) == 2
    assert f"no finished results of {NAME}" in the_line(capsys)


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (lambda content: content.update(format=99), "format 99, where this version reads 1"),
        (lambda content: content.pop("format"), "not a result file"),
        (lambda content: content.update(runs="?"), "a run is incomplete"),
        (lambda content: content["studies"][0].pop("configuration"), "a study is incomplete"),
        (
            lambda content: content["studies"][0]["summary"].pop("curves"),
            f"does not hold what {NAME} draws (KeyError: 'curves'): run it again",
        ),
    ],
)
def test_foreign_results_are_refused_with_the_reason(folder, capsys, alter, reason):
    change(folder, alter)
    assert drawn(folder, NAME) == 2
    line = the_line(capsys)
    assert reason in line and f"{NAME}.json" in line
    assert not (folder.parent / "out").exists()


@pytest.mark.parametrize("damage", [lambda text: text[: len(text) // 2], lambda text: b"\xff"])
def test_damaged_results_are_refused(folder, capsys, damage):
    path = folder / f"{NAME}.json"
    path.write_bytes(damage(path.read_bytes()))
    assert drawn(folder, NAME) == 2
    assert f"cannot draw {path}" in the_line(capsys)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no-such-figure"], "unknown figure 'no-such-figure': known are adagrad-regret"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, complaint):
    assert main(arguments) == 2
    assert complaint in the_line(capsys)


def test_a_folder_that_cannot_be_written_to(folder, capsys):
    (folder.parent / "out").write_text("a file")
    assert drawn(folder, NAME) == 2
    assert "cannot write to" in the_line(capsys)


def test_the_full_study_is_drawn_before_a_later_quick_one(folder):
    def add(content):
        (study,) = content["studies"]
        full = json.loads(json.dumps(study))
        full["configuration"]["mode"] = "full"
        content["studies"] = [study, full, study]

    change(folder, add)
    (study,) = studies(folder, [NAME])
    assert study.configuration["mode"] == "full"
    assert study.command == f"python -m analysis run {NAME}"


def test_list_names_every_figure_and_its_results(capsys):
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name}: " in printed for name in FIGURES)
    assert "from theorem-4-1, theorem-any-stream, theorem-conservative" in printed


@pytest.mark.slow
def test_missing_results_are_run_when_asked(tmp_path):
    command = [sys.executable, "-m", "figures", NAME, "--run-missing", "--no-pdf"]
    command += ["--results", str(tmp_path / "results"), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert f"-m analysis run {NAME} --quick" in done.stderr
    assert (tmp_path / "out" / f"{NAME}.png").exists()
    assert f"run {NAME} --quick" in (tmp_path / "out" / f"{NAME}.md").read_text()


def test_nothing_that_trains_or_checks_is_imported():
    code = (
        "import sys, figures.__main__\n"
        "rooms = ('checks', 'experiments', 'problems', 'training', 'runner', 'catalogue')\n"
        "print([name for name in sys.modules if name.split('.')[:2] in "
        "[['analysis', room] for room in rooms]])"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
