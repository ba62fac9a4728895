"""Experiments are found by themselves, and do with four things said of them."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from analysis.lab import report
from analysis.lab.errors import UsageError
from analysis.lab.found import found
from analysis.lab.runner import run
from analysis.lab.study import Experiment, Options

SIZES = {"quick": {"steps": 40, "sweep_steps": 10, "dim": 3}, "full": {"steps": 400, "dim": 3}}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """`package(name=text, ...)` makes a package of such modules and finds their `ENTRY`s."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "made_up_package"

    def make(first=(), **modules):
        folder.mkdir(exist_ok=True)
        for name in [name for name in sys.modules if name.startswith(folder.name)]:
            monkeypatch.delitem(sys.modules, name)
        for name, text in {"__init__": "", **modules}.items():
            (folder / f"{name}.py").write_text(f"from types import SimpleNamespace as S\n{text}\n")
        return list(found(folder.name, [str(folder)], "ENTRY", first))

    return make


def test_a_new_file_is_found(package):
    two = {"b": "ENTRY = S(name='one')", "a": "ENTRY = S(name='two')"}
    assert package(**two, helper="", __main__="raise SystemExit") == ["one", "two"]
    assert package(**two, c="ENTRY = S(name='new')") == ["new", "one", "two"]
    assert package(("two",), **two) == ["two", "new", "one"]


def test_names_are_of_one_file_each(package):
    with pytest.raises(ValueError, match="same name"):
        package(a="ENTRY = S(name='one')", b="ENTRY = S(name='one')")


def test_an_order_of_names_that_are_not_there_is_an_error(package):
    with pytest.raises(ValueError, match="made_up_package is named two"):
        package(("two",), a="ENTRY = S(name='one')")


@pytest.mark.parametrize("alone", [False, True])
def test_all_but_four_things_have_a_default(tmp_path, alone):
    experiment = Experiment(
        "cubes",
        "Cubes",
        "arithmetic",
        lambda settings, _: {"cube": settings["x"] ** 3.0, "list": [1]},
        runs=lambda configuration: [{"x": x, "seed": configuration["seed"]} for x in (2, 3)],
        alone=alone,
    )
    configuration, inputs = experiment.configure(Options(seed=7))
    assert configuration == {"mode": "full", "seed": 7}
    stages = list(experiment.stages(configuration, None))
    assert [len(stage) for stage in stages] == ([1, 1] if alone else [2])
    assert experiment.workload(configuration) == (2, 2)
    with ThreadPoolExecutor(1) as executor:
        study = run(experiment, configuration, inputs, tmp_path, executor, progress=False)
    text = report.describe(experiment, study)
    assert "x  cube\n-  ----\n2  8   \n3  27  " in text
    assert "All runs: seed 7." in text


def test_sizes_take_what_the_command_line_asks_for():
    assert Options(quick=True).sized(SIZES) == SIZES["quick"] | {"mode": "quick", "seed": 0}
    assert Options(seed=2).sized(SIZES) == SIZES["full"] | {"mode": "full", "seed": 2}
    fewer = Options(quick=True, steps=20).sized(SIZES)
    assert (fewer["steps"], fewer["sweep_steps"]) == (20, 5)
    assert Options(quick=True, steps=3).sized(SIZES, least=2)["sweep_steps"] == 2
    with pytest.raises(UsageError, match="--steps 1: must be at least 2"):
        Options(steps=1).sized(SIZES, least=2)
