"""What state takes: computed without taking it, measured in fresh processes, refused in time."""

import subprocess
import sys

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.experiments import many_classes
from analysis.experiments import memory as experiment
from analysis.lab import machine
from analysis.lab.errors import UsageError
from analysis.lab.process import in_new_process
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.problems import shapes
from analysis.training.optimizers import plain
from sketchlab import CountMinSketch, CountSketch, Dense


def test_computed_bytes_are_those_of_a_store_that_is_there():
    layer = shapes.Layer(1_000, 8)
    for store in (shapes.EXACT, shapes.CS, shapes.CMS, shapes.NMF):
        case = shapes.Case("", "", (layer, layer), {"one": {"v": store}})
        assert case.state_bytes("one") == 2 * store.allocate(layer.n, layer.dim).nbytes


def test_arithmetic_of_the_largest_table():
    lm1b = next(case for case in shapes.CASES if case.number == "8")
    megabytes = {name: lm1b.state_bytes(name) / 1e6 for name in lm1b.states}
    assert megabytes["exact"] == pytest.approx(4 * 793_471 * 256 * 4 / 1e6)
    assert megabytes["CS-MV"] == pytest.approx(4 * 3 * 52_898 * 256 * 4 / 1e6)
    assert megabytes["CS-V"] == pytest.approx((megabytes["exact"] + megabytes["CS-MV"]) / 2)


def test_computing_takes_no_memory():
    array = shapes.untouched((10**6, 10**6), np.float32)
    assert array.nbytes == 4 * 10**12 and array[-1, -1] == 0


def settings_of(family, stores, n=60_000, dim=256):
    return {
        "tables": [{"shape": [n, dim], "dense": False}],
        "family": family,
        "stores": {moment: plain(store) for moment, store in stores.items()},
        "options": {}, "learning_rate": 1e-3, "active": 512, "steps": 0, "seed": 0,
    }  # fmt: skip


@pytest.mark.slow
def test_peak_of_a_fresh_process_is_that_of_its_parameters_and_state():
    """And it would not be without a pass over all rows, before which no step is taken here."""
    adam = {"m": Dense(), "v": Dense()}
    sketched = {"m": CountSketch(), "v": CountMinSketch()}
    exact, small = (
        in_new_process("analysis.timing.residence", settings_of("Adam", stores))
        for stores in (adam, sketched)
    )
    for result in (exact, small):
        taken = result["peak_bytes"] - result["base_bytes"]
        assert taken == pytest.approx(result["parameter_bytes"] + result["state_bytes"], rel=0.05)
    early, late = (
        (exact[peak] - exact["base_bytes"]) - (small[peak] - small["base_bytes"])
        for peak in ("peak_after_zipf_bytes", "peak_bytes")
    )
    computed = exact["state_bytes"] - small["state_bytes"]
    assert late == pytest.approx(computed, rel=0.05)
    assert early < 0.2 * computed


GIVEN_BACK = """
import numpy as np
from analysis.lab import machine
before = machine.peak()
block = np.full(200_000_000, 1, np.uint8)
assert machine.resident() - before > 150_000_000
del block
assert machine.peak() - before > 150_000_000
assert machine.resident() < machine.peak() - 150_000_000
"""


def test_peak_counts_what_was_given_back():
    """In a process of its own: this one has had its peak from other tests, perhaps."""
    subprocess.run([sys.executable, "-c", GIVEN_BACK], check=True)


def _study(exact_mb, others_mb):
    configuration, _ = experiment.configure(Options(quick=True))

    def result_of(settings):
        label = settings["label"]
        state, peak = exact_mb if label == "Adam exact" else others_mb
        return {
            "parameter_bytes": 50e6, "state_bytes": state * 1e6, "base_bytes": 100e6,
            "peak_bytes": peak * 1e6, "peak_after_zipf_bytes": 120e6,
        }  # fmt: skip

    return configuration, experiment.summarise(configuration, result_of)


def test_savings_are_measured_against_computed():
    configuration, summary = _study((400, 560), (100, 260))
    text = terminal(experiment.present(configuration, summary))
    assert "Within 5%: 8 of 8 measured savings" in text and "+0.0%" in text
    configuration, summary = _study((400, 560), (100, 280))
    assert summary["measured"][1]["saved_mb"] == 300
    assert summary["measured"][1]["measured_saved_mb"] == 280
    assert summary["measured"][1]["deviation"] == pytest.approx(-20 / 300)
    text = terminal(experiment.present(configuration, summary))
    assert "Within 5%: 0 of 8 measured savings" in text and "-6.7%" in text


def test_published_memory_stands_beside_the_arithmetic():
    _, summary = _study((400, 560), (100, 260))
    row = next(r for r in summary["published"] if (r["table"], r["state"]) == ("8", "CS-MV"))
    assert row["published_saved_mb"] == 10813 - 7693
    assert row["saved_mb"] == pytest.approx(2600, abs=1)
    assert {row["table"] for row in summary["published"]} == {"5", "6", "7", "8", "10"}


@pytest.mark.parametrize("module", [experiment, many_classes])
def test_too_little_memory_is_refused_with_the_number(monkeypatch, module):
    monkeypatch.setattr(machine, "available", lambda: 300e6)
    with pytest.raises(UsageError, match=r"needs \d\.\d GB of memory, 0\.3 GB are available"):
        module.configure(Options())
    monkeypatch.setattr(machine, "available", lambda: 64e9)
    module.configure(Options())
    monkeypatch.setattr(machine, "available", lambda: None)
    module.configure(Options())


def test_command_line_refuses_in_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(machine, "available", lambda: 1e9)
    assert main(["run", "memory", "--full", "--out", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "needs 5.7 GB" in lines[0] and "--quick" in lines[0]


def test_available_memory_is_the_least_of_system_and_container(monkeypatch, tmp_path):
    system = tmp_path / "meminfo"
    system.write_text("MemTotal: 9000 kB\nMemAvailable:   5000 kB\n")
    monkeypatch.setattr(machine, "_SYSTEM", system)
    monkeypatch.setattr(machine, "_CONTAINER", tmp_path)
    assert machine.available() == 5000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 2000000\ninactive_file 400000\n")
    assert machine.available() == 900_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available() == 5000 * 1024
    monkeypatch.setattr(machine, "_SYSTEM", tmp_path / "nothing")
    assert machine.available() is None or machine.available() > 10**8
