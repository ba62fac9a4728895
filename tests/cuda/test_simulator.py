"""The battery under numba-cuda's simulator, in a process of its own: it replaces CUDA for good."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sketchlab.kernels.cuda import driver


@pytest.mark.slow
@pytest.mark.skipif(driver.cuda is None, reason="numba-cuda is missing or finds no toolkit")
def test_battery_in_the_simulator():
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--maxfail=5", *map(str, here.glob("device_*.py"))],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        cwd=here.parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    print(done.stdout.splitlines()[-1])
