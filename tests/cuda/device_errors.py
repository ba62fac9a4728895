"""What goes wrong on a device, each with one clear error that leaves everything unchanged.

Run as `device_battery.py` is.
"""

import numpy as np
import pytest
from device_battery import on_device

import sketchlab as sl
from sketchlab.kernels.cuda import driver


def unchanged_by(opt, error, match, grads, rows=None):
    """A step that must fail, and leave everything as it was."""
    before, state = opt.table.copy_to_host(), opt.state_dict()
    with pytest.raises(error, match=match):
        opt.step(grads, rows=rows)
    assert (opt.table.copy_to_host() == before).all()
    for key, value in opt.state_dict().items():
        assert np.array_equal(value, state[key]), key


def test_arrays_in_the_wrong_memory():
    with pytest.raises(sl.InputError, match="host memory"):
        sl.SGD(np.zeros((2, 2), np.float32), 1.0, backend="cuda")
    opt = sl.Adam(on_device(np.zeros((2, 2), np.float32)), backend="cuda")
    unchanged_by(
        opt, sl.InputError, "grads: a ndarray in host memory", np.zeros((2, 2), np.float32)
    )
    grads = on_device(np.zeros((1, 2), np.float32))
    unchanged_by(opt, sl.InputError, "rows: a list in host memory", grads, [1])
    for backend in ("cpu", "reference"):
        with pytest.raises(sl.InputError, match="NumPy"):
            sl.SGD(grads, 1.0, backend=backend)
        with pytest.raises(sl.InputError, match="device"):
            sl.SGD(np.zeros((1, 2), np.float32), 1.0, backend=backend).step(grads)


def test_unfit_inputs():
    opt = sl.Adam(on_device(np.zeros((4, 2), np.float32)), backend="cuda", check_finite=True)
    good = on_device(np.ones((2, 2), np.float32))
    unchanged_by(opt, sl.InputError, "shape", good)
    unchanged_by(opt, sl.InputError, "integer", good, on_device(np.zeros(2, np.float32)))
    unchanged_by(
        opt, sl.InputError, r"rows\[1\] is out of range", good, on_device(np.array([0, 4]))
    )
    double = on_device(np.ones((2, 2)))
    unchanged_by(opt, sl.InputError, "dtype float64", double, on_device(np.array([0, 3])))
    bad = on_device(np.array([[1, 1], [np.nan, 1]], np.float32))
    unchanged_by(opt, sl.InputError, r"grads\[1, 0\]", bad, on_device(np.array([0, 3])))


def test_rows_out_of_range_take_no_part_when_nothing_is_checked():
    table = on_device(np.zeros((2, 1), np.float32))
    grads = on_device(np.ones((3, 1), np.float32))
    sl.SGD(table, 1.0, backend="cuda").step(grads, rows=on_device(np.array([-1, 1, 2])))
    assert table.copy_to_host().ravel().tolist() == [0, -1]


def test_out_of_memory_leaves_everything_unchanged(monkeypatch):
    opt = sl.Adam(
        on_device(np.zeros((9, 2), np.float32)),
        m=sl.CountSketch(width=2, decay="global"),
        v=sl.CountMinSketch(width=2, conservative=True),
        backend="cuda",
    )
    grads, rows = on_device(np.ones((3, 2), np.float32)), on_device(np.arange(3))

    def exhausted(*arguments, **settings):
        raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")

    with monkeypatch.context() as patch:
        patch.setattr(driver.cuda, "device_array", exhausted)
        unchanged_by(opt, sl.BackendError, "out of memory", grads, rows)
    opt.step(grads, rows=rows)


def test_rank_one_by_svd_is_for_the_host():
    with pytest.raises(sl.ConfigurationError, match="host"):
        sl.Adagrad(on_device(np.zeros((2, 2), np.float32)), lr=1.0, v=sl.Rank1SVD(), backend="cuda")
