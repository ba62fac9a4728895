"""A process that was forked after its parent had run kernels says so; it never hangs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

PROGRAM = """
import multiprocessing, os, sys
import numpy as np, sketchlab as sl

def steps(backend):
    table = np.zeros((300, 100), np.float32)
    opt = sl.RMSprop(table, 0.1, v=sl.CountMinSketch(), backend=backend)
    opt.step(np.ones((300, 100)))
    return table[0, 0]

def try_steps(backend):
    try:
        return f"{steps(backend):.2f}"
    except sl.BackendError as error:
        return str(error)

if __name__ == "__main__":
    before, method, backend = sys.argv[1:]
    if before == "after":
        steps("cpu")
    with multiprocessing.get_context(method).Pool(2) as pool:
        print(*set(pool.map(try_steps, [backend] * 2)), sep="\\n")
    print(f"parent {steps('cpu'):.2f}")
"""


def workers(tmp_path, before, method, backend="cpu", **environment):
    """What two worker processes print, and their parent; never waits for long."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(path), before, method, backend],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "2"} | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_fork_after_a_step_is_told(tmp_path):
    message, parent = workers(tmp_path, "after", "fork", NUMBA_THREADING_LAYER="omp")
    assert "forked" in message and "'spawn'" in message and "reference" in message
    assert parent == "parent -0.03"


@pytest.mark.parametrize(
    ("before", "method", "backend", "layer"),
    [
        ("before", "fork", "cpu", "omp"),
        ("after", "spawn", "cpu", "omp"),
        ("after", "fork", "reference", "omp"),
        ("after", "fork", "cpu", "workqueue"),
    ],
)
def test_other_workers_take_their_steps(tmp_path, before, method, backend, layer):
    found = workers(tmp_path, before, method, backend, NUMBA_THREADING_LAYER=layer)
    assert found == ["-0.03", "parent -0.03"]
