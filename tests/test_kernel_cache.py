"""The disk cache of compiled kernels: found by the next process, never stale, never in the way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sketchlab

PACKAGE = Path(sketchlab.__file__).parent

STEP = """
import numpy as np, sketchlab as sl
from numba.core.dispatcher import Dispatcher
from sketchlab.kernels import cpu
table = np.zeros((100, 4), np.float32)
opt = sl.Adam(table, m=sl.CountSketch(), v=sl.CountMinSketch())
opt.step(np.ones((3, 4), np.float32), rows=[5, 1, 5])
kernels = [k for k in vars(cpu).values() if isinstance(k, Dispatcher)]
stats = [k.stats for k in kernels]
print(sum(len(s.cache_hits) for s in stats), sum(len(s.cache_misses) for s in stats))
"""

FOLDER = "from sketchlab.kernels import compile; print(compile.cache_folder())"


def python(code, package_parent=PACKAGE.parent, **environment):
    """What a new Python process prints."""
    env = {**os.environ, "PYTHONPATH": str(package_parent), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        cwd=package_parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_second_process_compiles_nothing():
    python(STEP)
    hits, misses = map(int, python(STEP).split())
    assert misses == 0
    assert hits >= 5


@pytest.fixture
def copied_package(tmp_path):
    """The library in a place of its own, without caches."""
    shutil.copytree(
        PACKAGE, tmp_path / "sketchlab", ignore=shutil.ignore_patterns("__pycache__", "*.nb?")
    )
    return tmp_path


@pytest.mark.parametrize(
    "source", ["rules/adam.py", "stores/arithmetic.py", "hashing.py", "kernels/cpu/columns.py"]
)
def test_an_edit_of_any_source_of_a_kernel_leaves_its_cache_behind(copied_package, source):
    before = python(FOLDER, copied_package, NUMBA_CACHE_DIR="")
    path = copied_package / "sketchlab" / source
    path.write_text(path.read_text() + "\n# edited\n")
    after = python(FOLDER, copied_package, NUMBA_CACHE_DIR="")
    assert Path(before).parent == Path(after).parent == copied_package / "sketchlab/__pycache__"
    assert before != after


def test_a_package_that_cannot_be_written_to_is_cached_for_the_user(copied_package, tmp_path):
    # a file where the folder would be refuses everybody, root too
    (copied_package / "sketchlab/__pycache__").write_text("")
    folder = python(FOLDER, copied_package, NUMBA_CACHE_DIR="", XDG_CACHE_HOME=str(tmp_path / "c"))
    assert Path(folder).parent == tmp_path / "c" / "sketchlab"


def test_a_cache_folder_of_the_users_choice_comes_first(copied_package, tmp_path):
    folder = python(FOLDER, copied_package, NUMBA_CACHE_DIR=str(tmp_path / "mine"))
    assert Path(folder).parent == tmp_path / "mine"
