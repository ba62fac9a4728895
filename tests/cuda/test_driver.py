"""What is missing is told in one sentence; arrays of other libraries are seen without a copy."""

from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

import sketchlab as sl
from sketchlab.kernels.cuda import driver
from sketchlab.kernels.cuda.arrays import stream_of

TABLE = np.zeros((2, 2), np.float32)


def fake_cuda(context=None, version=(13, 0)):
    """numba-cuda as it looks with some driver; `context` fails where there is none."""
    return SimpleNamespace(
        config=SimpleNamespace(ENABLE_CUDASIM=0),
        current_context=context or (lambda: None),
        cudadrv=SimpleNamespace(
            driver=SimpleNamespace(driver=SimpleNamespace(get_version=lambda: version))
        ),
        runtime=SimpleNamespace(get_version=lambda: (13, 0)),
    )


def no_driver():
    raise RuntimeError("Error at driver init: libcuda.so not found\nand a long explanation")


@pytest.mark.parametrize(
    ("cuda", "match"),
    [
        (None, r"needs numba-cuda and a CUDA toolkit \(CUDA Toolkit not found.*\): pip install"),
        (fake_cuda(no_driver), r"no usable NVIDIA driver and GPU \(.*not found.*\): install"),
        (fake_cuda(version=(12, 4)), r"too old: it runs CUDA 12.4, .* toolkit is 13.0: update"),
    ],
    ids=["no toolkit", "no driver", "old driver"],
)
def test_one_clear_error_for_what_is_missing(cuda, match):
    reason = RuntimeError("CUDA Toolkit not found\nSearched everywhere")
    with (
        mock.patch.multiple(driver, cuda=cuda, _REASON=reason),
        pytest.raises(sl.BackendError, match=match) as caught,
    ):
        sl.SGD(TABLE, 1.0, backend="cuda")
    assert "\n" not in str(caught.value)


def test_failures_inside_cuda_become_backend_errors():
    def fail(error):
        raise error

    with pytest.raises(sl.BackendError, match="out of memory"):
        driver.guarded(fail, RuntimeError("[2] CUDA_ERROR_OUT_OF_MEMORY"))
    missing = type("NvvmSupportError", (ImportError,), {"__module__": "numba.cuda.cudadrv.error"})
    with pytest.raises(sl.BackendError, match=r"CUDA failed \(libNVVM is not available\)"):
        driver.guarded(fail, missing("libNVVM is not available"))
    with pytest.raises(TypeError, match="a slip of ours"):
        driver.guarded(fail, TypeError("a slip of ours"))


def test_the_stream_that_an_interface_names():
    array = SimpleNamespace(__cuda_array_interface__={"stream": 7})
    assert stream_of(array) == 7
    assert stream_of(TABLE) is None


def test_dlpack_is_seen_as_an_array_interface():
    pytest.importorskip("cuda.core")
    from sketchlab.kernels.cuda.arrays import _Interface

    array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    seen, there = _Interface(array).__cuda_array_interface__, array.__array_interface__
    assert seen["data"][0] == there["data"][0]
    assert (seen["shape"], seen["strides"]) == (there["shape"], there["strides"])
    assert seen["typestr"] == there["typestr"]
