"""Who makes the runs: this machine, a Dask cluster on the loopback interface, an MPI job."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import deadly
import pytest

import sketchlab as sl
from analysis import catalogue
from analysis.__main__ import main
from analysis.lab.executors import executor
from analysis.lab.study import Experiment
from analysis.training.comparison import experiment_on
from analysis.training.variants import Variant

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = 6


def arguments(name, folder, *more):
    return ["run", name, "--quick", "--out", str(folder), *more]


def content(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


@pytest.fixture
def squares(monkeypatch):
    """`squares(fatal)` puts an experiment into the catalogue one of whose runs kills its worker."""

    def put(fatal):
        experiment = Experiment(
            "squares",
            "Squares",
            "arithmetic",
            deadly.measure,
            configure=lambda options: (
                {"mode": options.mode, "cells": [{"number": each} for each in range(NUMBERS)]},
                fatal,
            ),
        )
        monkeypatch.setitem(catalogue.CATALOGUE, "squares", experiment)

    return put


@pytest.fixture(scope="module")
def cluster():
    """The address of a Dask scheduler with two worker processes."""
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    dask = pytest.importorskip("dask")
    quick = {"distributed.scheduler.allowed-failures": 1}  # workers that a run may kill
    with (
        dask.config.set(quick),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=50,
        ) as made,
    ):
        yield f"dask:{made.scheduler_address}"


def test_after_ctrl_c_nothing_of_the_pool_is_left():
    # What would be left fails at random while Python ends: a thread closes pipes that it writes to.
    threads, children = set(threading.enumerate()), set(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt), executor("local", 2) as workers:
        calls = [workers.submit(time.sleep, 60) for _ in range(4)]
        while len(set(multiprocessing.active_children()) - children) < 2:
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert set(threading.enumerate()) <= threads
    assert set(multiprocessing.active_children()) <= children
    assert all(call.done() for call in calls)


def loses_only_its_own(squares, folder, capfd, *more):
    """Whether all other runs are made, the lost one is named, and made by the next call."""
    squares(fatal=1)
    assert main(arguments("squares", folder, *more)) == 1
    kept = content(folder, "squares")
    made = sorted(run["settings"]["number"] for run in kept["runs"])
    assert made == [0, *range(2, NUMBERS)]
    assert kept["studies"][0]["summary"] is None
    error = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1 and "of 6 runs 1" in error[0] and "number 1" in error[0]
    squares(fatal=None)
    assert main(arguments("squares", folder, *more)) == 0
    assert "5 of 6 runs were in" in capfd.readouterr().err
    rows = content(folder, "squares")["studies"][0]["summary"]["rows"]
    assert [row["square"] for row in rows] == [each**2 for each in range(NUMBERS)]


@pytest.mark.parametrize("jobs", ["1", "2", "5"])
def test_a_process_that_dies_loses_only_its_own_run(squares, tmp_path, capfd, jobs):
    loses_only_its_own(squares, tmp_path, capfd, "--jobs", jobs)


@pytest.mark.slow
def test_a_dask_worker_that_dies_loses_only_its_own_run(squares, tmp_path, capfd, cluster):
    loses_only_its_own(squares, tmp_path, capfd, "--executor", cluster)


def test_other_experiments_go_on(squares, tmp_path, capsys):
    squares(fatal=0)
    names = ["run", "squares", "merge-fold", "--quick", "--jobs", "2", "--out", str(tmp_path)]
    assert main(names) == 1
    assert content(tmp_path, "merge-fold")["studies"][0]["summary"]["verdict"] == "holds"
    assert "Claims: 1 of 1" in capsys.readouterr().out


def test_what_does_not_depend_on_a_lost_try_goes_on(monkeypatch, tmp_path, capsys):
    """Of two variants, one loses its tries: the other's search and runs are made to the end."""
    exact = Variant("RMSprop", "exact", "lazy", v=sl.Dense())
    other = Variant("RMSprop", "CMS", "lazy", v=sl.CountMinSketch())
    size = {"tries": 5, "replicates": 2}
    for fatal in (1, None):
        experiment = experiment_on(
            deadly.Task,
            (exact, other),
            name="rates",
            title="Rates",
            source="",
            sizes={"quick": size},
            common=lambda _: {},
        )
        entry = Experiment(**vars(experiment) | {"configure": lambda options, fatal=fatal, made=(
            experiment.configure): (made(options)[0], fatal)})  # fmt: skip
        monkeypatch.setitem(catalogue.CATALOGUE, "rates", entry)
        assert main(arguments("rates", tmp_path, "--jobs", "2")) == (1 if fatal else 0)
        made = [run["settings"]["number"] for run in content(tmp_path, "rates")["runs"]]
        assert (made.count(0), made.count(1)) == (7, 0 if fatal else 7)
    assert "of 14 runs 3 and what depends on them are missing" in capsys.readouterr().err


def test_dask_gives_what_this_machine_gives(tmp_path, capfd, cluster):
    assert main(arguments("merge-fold", tmp_path / "dask", "--executor", cluster)) == 0
    assert main(arguments("merge-fold", tmp_path / "local", "--jobs", "1")) == 0
    there, here = (content(tmp_path / of, "merge-fold") for of in ("dask", "local"))
    assert there["studies"][0]["summary"] == here["studies"][0]["summary"]
    assert "Claims: 1 of 1 with the expected verdict" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--executor", "warp"], "--executor warp: known are local, dask:ADDRESS and mpi"),
        (["--executor", "dask:"], "--executor dask:: known are local, dask:ADDRESS and mpi"),
        (["--executor", "dask"], "known are local, dask:ADDRESS and mpi"),
        (["--executor", "mpi", "--jobs", "2"], "has workers of its own, leave it out"),
        (["--executor", "dask:127.0.0.1:1"], "no scheduler answers there"),
        (["--executor", "dask:nonsense://x"], "no scheduler answers there"),
        (["--executor", "mpi"], "start `mpirun -n 3 python -m mpi4py.futures -m analysis run"),
    ],
)
def test_bad_executors_are_one_line_and_exit_code_2(tmp_path, monkeypatch, capfd, more, complaint):
    if "127.0.0.1" in more[-1] or "nonsense" in more[-1]:
        pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
        monkeypatch.setattr("analysis.lab.executors.PATIENCE", "0.5s")
    if more == ["--executor", "mpi"]:
        _needs_mpi()
    assert main(arguments("merge-fold", tmp_path, *more)) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ") and complaint in line


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("dask:127.0.0.1:1", "distributed", "cluster"), ("mpi", "mpi4py", "mpi")],
)
def test_missing_packages_name_their_extra(tmp_path, monkeypatch, capfd, name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("analysis.lab.executors.find_spec", lambda _: None)
    assert main(arguments("merge-fold", tmp_path, "--executor", name)) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert f"pip install 'sketchlab[{extra}]'" in line


def test_an_executor_can_be_used_from_python():
    with executor("local", 1) as workers:
        assert workers.submit(pow, 2, 5).result() == 32


def _needs_mpi():
    pytest.importorskip("mpi4py", reason="the extra `mpi` is not installed")
    if shutil.which("mpirun") is None:
        pytest.skip("no mpirun: install Debian's openmpi-bin and libopenmpi-dev")


def test_mpi_gives_what_this_machine_gives(tmp_path):
    _needs_mpi()
    command = ["mpirun", "-n", "3", "--oversubscribe"]
    if os.getuid() == 0:
        command.append("--allow-run-as-root")
    command += [sys.executable, "-m", "mpi4py.futures", "-m", "analysis"]
    command += arguments("merge-fold", tmp_path / "mpi", "--executor", "mpi")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Claims: 1 of 1 with the expected verdict") == 1
    assert main(arguments("merge-fold", tmp_path / "local", "--jobs", "1")) == 0
    there, here = (content(tmp_path / of, "merge-fold") for of in ("mpi", "local"))
    assert there["studies"][0]["summary"] == here["studies"][0]["summary"]
