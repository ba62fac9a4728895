"""The first half hour on a GPU: steps that fail, hang or die, Ctrl-C, and what a step finds."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from emulator import control
from places import EMULATED, MARKS

import sketchlab as sl
from analysis.timing import gpu_events
from sketchlab.kernels.cuda import driver
from tests.cuda.first_light import __main__ as command_line
from tests.cuda.first_light import work
from tests.cuda.first_light.runner import run, summary
from tests.cuda.first_light.steps import Step, steps

ROOT = Path(__file__).parents[2]


def python(name, code, seconds=60, missing=None):
    return Step(name, f"about {name}", [sys.executable, "-c", code], seconds, missing)


def test_every_step_is_taken_whatever_becomes_of_the_others(tmp_path):
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    given = [
        python("good", "print('fine')"),
        python("bad", "raise ValueError('a slip')"),
        python("dead", "import os; os.abort()"),
        python("slow", child, seconds=1),
        python("absent", "", missing="not installed: x"),
        python("last", "print('still here')"),
    ]
    said = []
    start = time.monotonic()
    taken = run(given, tmp_path / "out", said.append)
    assert time.monotonic() - start < 30
    outcomes = ["passed", "failed", "failed", "over 1 s", "skipped", "passed"]
    assert [one["outcome"] for one in taken] == outcomes
    assert taken[1]["says"] == "ValueError: a slip"
    assert json.loads((tmp_path / "out/summary.json").read_text()) == taken
    assert (tmp_path / "out/last.log").read_text() == "still here\n"
    assert len(said) == len(given)
    text = "\n".join(summary(taken, given, tmp_path))
    assert "2 of 6 steps passed; look at bad.log, dead.log, slow.log" in text


def test_ctrl_c_keeps_what_is_done(tmp_path):
    code = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.cuda.first_light.runner import run, summary
from tests.cuda.first_light.steps import Step
import sys
steps = [Step("one", "", [sys.executable, "-c", "print(1)"], 60),
         Step("two", "", [sys.executable, "-c", "import time; time.sleep(100)"], 200),
         Step("three", "", [sys.executable, "-c", ""], 60)]
taken = run(steps, {str(tmp_path)!r})
print("\\n".join(summary(taken, steps, "here")))
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    while not (tmp_path / "two.log").exists():
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0].decode()
    kept = json.loads((tmp_path / "summary.json").read_text())
    assert [(one["name"], one["outcome"]) for one in kept] == [
        ("one", "passed"),
        ("two", "interrupted"),
    ]
    assert "not begun: three" in said


def test_one_line_without_a_gpu(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(driver, "simulated", lambda: False)
    monkeypatch.setattr(gpu_events, "why_not", lambda: "no GPU was found")
    assert command_line.main(["--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "first light: no GPU was found\n"
    assert not (tmp_path / "out").exists()


def test_its_own_steps_have_their_work():
    own = [step for step in steps("out") if "tests.cuda.first_light.work" in step.command]
    assert {step.command[-2] for step in own} == set(work.WORK)


def on_a_gpu(test):
    for mark in MARKS:
        test = mark(test)
    return test


@on_a_gpu
def test_first_steps(tmp_path):
    assert command_line.main(["--out", str(tmp_path), "--only", "versions", "kernel"]) == 0
    found = json.loads((tmp_path / "versions.json").read_text())
    assert found["device"]["name"] == gpu_events.device()["name"]
    assert json.loads((tmp_path / "kernel.json").read_text())["first_s"] > 0


@on_a_gpu
def test_results_that_differ_are_told(monkeypatch):
    saved = []
    monkeypatch.setattr(work, "OPTIMIZERS", {"Adam exact": work.OPTIMIZERS["Adam exact"]})
    monkeypatch.setattr(work, "VARIANTS", {})
    found = work.small(saved.append)
    assert max(found.values()) < work.LIMIT["float64"]
    adam = sl.Adam
    backends = iter(range(100))

    def other_rate(table, lr, **settings):
        slip = 1.01 if next(backends) % 2 else 1.0  # the optimizer of the host alone
        return adam(table, lr * slip, **settings)

    monkeypatch.setattr(work.sl, "Adam", other_rate)
    with pytest.raises(work.Wrong, match="Adam exact; Adam exact, deterministic"):
        work.small(saved.append)


@on_a_gpu
@pytest.mark.skipif(not EMULATED, reason="a real driver does not count launches")
def test_launches_are_counted_as_the_driver_counts():
    shape = {"n": 50, "dim": 3, "k": 9, "rows": "unsorted", "seed": 0}
    step = work.ours(shape | {"optimizer": "Adam exact"})
    for i in range(2):
        step(i)
    before = control.count("launches")
    with work.counted() as count:
        step(2)
    assert count[0] == control.count("launches") - before > 0
