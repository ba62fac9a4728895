"""What somebody who has installed the wheel tries first; prints what it checked."""

import sys
import tempfile
from pathlib import Path

import numpy as np

import sketchlab as sl


def main():
    """Run it, from a folder without a checkout."""
    assert not (Path.cwd() / "sketchlab").exists(), "the wheel is to be tried, not a checkout"
    assert set(sl.__all__) <= set(dir(sl))
    table, opt = _trained()
    assert np.allclose(table[[3, 9_999]], -1e-3, rtol=1e-5), "the first step of Adam is -lr"
    assert not table[[0, 4]].any(), "rows that were not given have moved"
    with tempfile.TemporaryDirectory() as folder:
        _save_and_load(opt, Path(folder) / "adam.npz")
    print(
        f"sketchlab {sl.__version__} in {Path(sl.__file__).parent}: Python "
        f"{sys.version.split()[0]}, NumPy {np.__version__}; import, sparse step, save, load"
    )


def _trained():
    table = np.zeros((10_000, 8), np.float32)
    opt = sl.Adam(table, lr=1e-3, m=sl.CountSketch(seed=0), v=sl.CountMinSketch(seed=1))
    opt.step(np.ones((2, 8), np.float32), rows=np.array([3, 9_999]))
    return table, opt


def _save_and_load(opt, path):
    """A state that was saved and loaded goes on as the one that was not."""
    opt.save(path)
    table, other = _trained()
    other.step(np.ones_like(table))
    other.load(path)
    table[:] = opt.table
    for optimizer in (opt, other):
        optimizer.step(np.full((1, 8), 2.0, np.float32), rows=[3])
    assert np.array_equal(opt.table, table)
    assert opt.nbytes == other.nbytes < 2 * table.nbytes


if __name__ == "__main__":
    main()
