"""Exit codes and error lines, a whole small run, Ctrl-C, and a main process that is killed."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import sketchlab as sl
from analysis.__main__ import main
from analysis.training.variants import VARIANTS

ROOT = Path(__file__).resolve().parents[2]
RUNS = len(VARIANTS) * (5 + 3)


def start(corpus, out, steps):
    """Start a quick run in a process group of its own, as a terminal does."""
    arguments = ["run", "language-model", "--quick", "--jobs", "2", "--steps", steps]
    arguments += ["--corpus", corpus, "--out", out]
    return subprocess.Popen(
        [sys.executable, "-m", "analysis", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished_runs(out):
    path = out / "language-model.json"
    return json.loads(path.read_text())["runs"] if path.exists() else []


def members_of(group):
    """Return the processes of a process group that still run."""
    members = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = status.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            members.append(status.parent.name)
    return members


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "no-such-name"], "unknown name 'no-such-name': known are claims, experiments"),
        (["report", "no-such-name"], "lemma-b2"),
        (["run", "--jobs", "0"], "--jobs 0: must be at least 1"),
        (["run", "--jobs", "two"], "invalid int value: 'two'"),
        (["run", "--seed", "-1"], "--seed -1: must be 0 or more"),
        (["run", "language-model", "--steps", "0"], "--steps 0: must be at least 1"),
        (
            ["run", "language-model", "--corpus", "no/such/file"],
            "cannot read the corpus no/such/file",
        ),
        (["run", "--no-such-option"], "--no-such-option"),
        (["run", "--quick", "--full"], "not allowed with"),
        (["report", "--out", "no/such/folder"], "cannot read"),
        (["report", "lemma-b2", "--out", "no/such/folder"], "cannot read"),
        ([], "COMMAND"),
        (["walk"], "invalid choice: 'walk'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, arguments, complaint):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ") and complaint in line
    assert printed.out == ""


def test_unwritable_out_is_refused_before_any_work(capsys, corpus_file, tmp_path):
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file")
    assert main(["run", "language-model", "--corpus", str(corpus_file), "--out", out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: cannot write results to {out}")


def test_damaged_file_is_not_reported_on(capsys, tmp_path):
    (tmp_path / "language-model.json").write_text("{")
    assert main(["report", "--out", str(tmp_path)]) == 2
    assert "is damaged (not valid JSON): run it again" in capsys.readouterr().err


def test_list(capsys):
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert "language-model: " in listed
    assert "\nlemma-b2: Lemma B.2 as printed" in listed and "expected: refuted" in listed


def compile_kernels():
    """Compile, or find on disk, what the runs need: the compiler itself cannot be interrupted."""
    for optimizer in (sl.Momentum, sl.Adagrad, sl.RMSprop, sl.Adam):
        optimizer(np.zeros((2, 2), np.float32), 0.1).step([[1, 1]], rows=[0])
    one = {"width": 1, "depth": 1}
    v, m = sl.CountMinSketch(**one), sl.CountSketch(**one)
    for optimizer, stores in ((sl.RMSprop, {"v": v}), (sl.Adam, {"m": m, "v": v})):
        sketched = optimizer(np.zeros((8, 2), np.float32), 0.1, **stores)
        sketched.step([[1, 1], [1, 1], [1, 1]], rows=[3, 1, 3])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_interrupted_and_killed_runs_are_finished_by_the_next_call(corpus_file, tmp_path, capsys):
    compile_kernels()
    steps, kept = 100, 0  # long enough for an end to come in the midst of them
    for ending, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        process = start(corpus_file, tmp_path, steps)
        while len(finished_runs(tmp_path)) < kept + 3:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        if ending is signal.SIGINT:
            os.killpg(process.pid, ending)
        else:
            process.kill()
        began = time.monotonic()
        _, errors = process.communicate(timeout=20)
        assert process.returncode == code
        while members_of(process.pid):
            time.sleep(0.02)
            assert time.monotonic() - began < 5, "workers outlive the main process"
        if ending is signal.SIGINT:
            assert errors.splitlines()[-1].startswith("interrupted: ")
        assert kept + 3 <= len(finished_runs(tmp_path)) < RUNS
        kept = len(finished_runs(tmp_path))
    before = finished_runs(tmp_path)

    process = start(corpus_file, tmp_path, steps)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    after = finished_runs(tmp_path)
    assert after[: len(before)] == before and len(after) == RUNS
    assert f"{RUNS}/{RUNS} runs" in errors and "left" in errors
    _check_table(printed)
    _check_file(tmp_path, steps)

    assert main(["report", "--markdown", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("\n| ") == len(VARIANTS) + 1


def _check_table(printed):
    for variant in VARIANTS:
        assert any(
            line.startswith(variant.family) and variant.state in line and variant.form in line
            for line in printed.splitlines()
        )


def _check_file(folder, steps):
    text = (folder / "language-model.json").read_text()
    assert str(folder) not in text and str(ROOT) not in text
    (study,) = json.loads(text)["studies"]
    assert study["configuration"]["steps"] == steps
    for row in study["summary"]["rows"]:
        assert len(row["scores"]) == 3
        assert len(row["tries"]) == 5
        best = min(row["tries"], key=lambda tried: tried["score"] or math.inf)
        assert row["learning_rate"] == best["learning_rate"]
