"""What is missing is told in one sentence; arrays of other libraries are seen without a copy."""

import sys
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

import numpy as np
import offline
import pytest

import sketchlab as sl
from sketchlab.kernels import compile as compiling
from sketchlab.kernels.cuda import CUDA, bindings, compiled, driver
from sketchlab.kernels.cuda.arguments import Array, Block, Number
from sketchlab.kernels.cuda.arrays import as_device
from sketchlab.kernels.cuda.elementwise import fill
from sketchlab.kernels.cuda.memory import Memory
from sketchlab.kernels.cuda.streams import hold_for, stream_of

TABLE = np.zeros((2, 2), np.float32)
needs_types = pytest.mark.skipif(driver.cuda is None, reason="numba-cuda is missing")


def fake_cuda(context=None, version=(13, 0), toolkit=lambda: (13, 0)):
    """numba-cuda as it looks with some driver; `context` fails where there is none."""
    return SimpleNamespace(
        config=SimpleNamespace(ENABLE_CUDASIM=0),
        current_context=context or (lambda: None),
        cudadrv=SimpleNamespace(
            driver=SimpleNamespace(driver=SimpleNamespace(get_version=lambda: version))
        ),
        runtime=SimpleNamespace(get_version=toolkit),
    )


def no_driver():
    raise RuntimeError("Error at driver init: libcuda.so not found\nand a long explanation")


def no_compiler():
    raise RuntimeError("Failure finding libnvrtc.so")


@pytest.mark.parametrize(
    ("cuda", "match"),
    [
        (fake_cuda(toolkit=no_compiler), r"there is a GPU, but NVRTC .*libnvrtc.*: pip install"),
        (None, r"needs numba-cuda and a CUDA toolkit \(CUDA Toolkit not found.*\): pip install"),
        (fake_cuda(no_driver), r"no usable NVIDIA driver and GPU \(.*not found.*\): install"),
        (fake_cuda(version=(12, 4)), r"too old: it runs CUDA 12.4, .* toolkit is 13.0: update"),
    ],
    ids=["no NVRTC", "no toolkit", "no driver", "old driver"],
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


# -- parts of different toolkits, and what does not belong here -----------------------------------


@pytest.mark.parametrize(
    ("versions", "match"),
    [
        ({"nvidia-nvvm": "13.5.1", "nvidia-nvjitlink": "13.0.8"}, r"nvvm 13.5.1, .* 13.0.8\)"),
        ({"nvidia-nvvm": "13.5.1", "nvidia-nvjitlink": "13.5.2"}, r"CUDA failed \(.*version"),
    ],
)
def test_toolkits_that_do_not_fit_are_named(versions, match, monkeypatch):
    monkeypatch.setattr(driver, "_toolkit_packages", lambda: versions)
    unfit = type("LinkerError", (RuntimeError,), {"__module__": "cuda.core"})
    with pytest.raises(sl.BackendError, match=match), driver.compiling():
        raise unfit("Unsupported .version 9.5; current version is '9.0'")


def test_a_compiler_that_refuses_a_kernel_is_named(monkeypatch):
    monkeypatch.setattr(driver, "_toolkit_packages", dict)
    refusal = type("nvvmError", (Exception,), {"__module__": "cuda.bindings.nvvm"})
    message = r"INVALID_IR.*'sketchlab\[cuda13\]'"
    with pytest.raises(sl.BackendError, match=message), driver.compiling():
        raise refusal("ERROR_INVALID_IR (6)")


def test_a_numpy_that_numba_cuda_does_not_know_is_said():
    message = r"numba-cuda .* does not work with NumPy .*row_stack.*pip install 'numpy<2.5'"
    with pytest.raises(sl.BackendError, match=message), driver.compiling():
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")


def test_a_tensor_that_requires_grad_is_refused_with_the_way_out():
    for name in ("table", "grads"):
        with pytest.raises(sl.InputError, match=rf"{name}: .*requires grad.*detach\(\)"):
            as_device(name, SimpleNamespace(requires_grad=True))


@needs_types
def test_another_device_is_refused():
    with offline.no_driver():
        table = offline.pretend((4, 2), np.float32)
        opt = sl.SGD(table, 1.0, backend="cuda")
        machine = opt._backend._run.machine
        machine.device_of = lambda address: 1
        with pytest.raises(sl.InputError, match=r"grads: on device 1, .* works on device 0"):
            opt.step(table)
        with pytest.raises(sl.InputError, match="table: on device 1"):
            opt.table = table
        machine.device = 1
        with pytest.raises(sl.BackendError, match=r"current device is 1, .*torch.cuda.device\(0\)"):
            opt.step(table)
    assert opt.step_count == 0


def test_a_new_thread_begins_to_work_on_a_device(monkeypatch):
    answers = [("CUDA_ERROR_INVALID_CONTEXT", None), (None, 3)]
    begun = []
    there = SimpleNamespace(cuCtxGetDevice=lambda: answers.pop(0))
    monkeypatch.setattr(bindings, "api", there)
    monkeypatch.setattr(bindings, "cuda", SimpleNamespace(current_context=lambda: begun.append(1)))
    assert bindings.current_device() == 3
    assert begun == [1]


# -- streams -----------------------------------------------------------------------------------


class OnStream(offline.Pretended):
    """A pretended array that names a stream."""

    @property
    def __cuda_array_interface__(self):
        return {**self.__array_interface__, "version": 3, "stream": self.named}


def on_stream(stream, shape, dtype=np.float32):
    array = np.zeros(shape, dtype).view(OnStream)
    array.named = stream
    return array


def steps(opt):
    """What a machine was asked for since the last call."""
    log = opt._backend._run.machine.log
    done, log[:] = list(log), []
    return done


@needs_types
def test_a_step_waits_for_all_inputs_and_is_marked_when_it_ends():
    with offline.no_driver():
        opt = sl.SGD(on_stream(30, (4, 2)), 1.0, backend="cuda")
        for grads, rows, producers in ((7, 8, [30, 8]), (7, 7, []), (9, 7, [7])):
            steps(opt)
            last = opt._backend._run.stream
            opt.step(on_stream(grads, (2, 2)), rows=on_stream(rows, 2, np.int64))
            waits = [("wait", grads)] if last != grads else []
            for producer in producers:
                waits += [("record", producer), ("wait", grads)]
            done = [step for step in steps(opt) if step[0] != "fill"]
            launches = [(name, grads) for name in ("sort", "sum_groups", "move")]
            assert done[-4:] == [*launches, ("record", grads)]
            assert [step for step in done[:-4] if step[1] != 1] == waits


@needs_types
def test_a_stream_that_was_chosen_is_kept_and_waits_for_the_gradients():
    with offline.no_driver():
        opt = sl.SGD(offline.pretend((4, 2), np.float32), 1.0, backend=CUDA(stream=5))
        opt.step(on_stream(7, (4, 2)))
        steps(opt)
        opt.step(on_stream(7, (4, 2)))
        assert steps(opt) == [("record", 7), ("wait", 5), ("move", 5), ("record", 5)]


@needs_types
def test_state_is_handed_out_on_a_stream_that_stays():
    """The home stream waits for the step, whose own stream may be gone by now."""
    with offline.no_driver():
        opt = sl.Momentum(offline.pretend((4, 2), np.float32), 1.0, backend="cuda")
        opt.step(on_stream(7, (4, 2)))
        steps(opt)
        assert opt.m.cells.__cuda_array_interface__["stream"] == 1
        assert steps(opt) == [("wait", 1), ("record", 1)]


class FakeTensor:
    """PyTorch's, as far as streams go."""

    device = "cuda:0"

    def __init__(self):
        self.held_for = []

    def record_stream(self, stream):
        self.held_for.append(stream)


@pytest.fixture
def torch(monkeypatch):
    """PyTorch whose current stream is number 7."""
    streams = SimpleNamespace(
        current_stream=lambda device: SimpleNamespace(cuda_stream=7),
        ExternalStream=lambda stream, device: ("external", stream),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(Tensor=FakeTensor, cuda=streams))


def test_pytorch_is_asked_for_its_stream_and_keeps_memory_for_another(torch):
    tensor = FakeTensor()
    assert stream_of(tensor) == 7
    hold_for(7, 7, tensor, TABLE)
    assert tensor.held_for == []
    hold_for(5, 7, tensor, TABLE)
    assert tensor.held_for == [("external", 5)]


class OfDLPack:
    """An array that speaks DLPack only, and says for which stream it was asked."""

    def __init__(self, array):
        self.array, self.asked = array, []

    def __dlpack_device__(self):
        return 2, 0


def test_an_array_of_dlpack_is_told_the_stream(monkeypatch):
    utils = pytest.importorskip("cuda.core.utils")
    array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    given = OfDLPack(array)

    def from_dlpack(cls, asked, stream_ptr):
        asked.asked.append(stream_ptr)
        return real(asked.array, stream_ptr=-1)

    real = utils.StridedMemoryView.from_dlpack
    view = SimpleNamespace(from_dlpack=lambda *a, **s: from_dlpack(None, *a, **s))
    monkeypatch.setattr(utils, "StridedMemoryView", view)
    found = as_device("grads", given, stream=7)
    assert given.asked == [7]
    assert found.memory.address == array.__array_interface__["data"][0]
    assert (found.memory.shape, found.memory.dtype) == (array.shape, array.dtype)
    assert not found.contiguous


# -- arguments, and kernels that are kept ------------------------------------------------------


class Pair(NamedTuple):
    """A view as kernels have them."""

    cells: object
    scale: object


def test_arguments_are_flat_and_change_in_place():
    """As numba-cuda passes them: an array is 0, 0, size, bytes of a number, address and so on."""
    scale, cells = Number(np.float32, 0.1), Array(np.float32, 2)
    cells.set(Memory(4096, (3, 5), np.dtype(np.float32), None))
    block = Block((Pair(cells, scale), np.uint64(2**64 - 1), scale, 7, True))
    words = np.frombuffer(block._buffer, np.int64)
    assert words[:9].tolist() == [0, 0, 15, 4, 4096, 3, 5, 20, 4]
    assert words[10].view(np.uint64) == 2**64 - 1
    assert words[12:].tolist() == [7, 1]
    assert words[[9, 11]].view(np.float32)[[0, 2]].tolist() == [np.float32(0.1)] * 2
    scale.set(2.0)
    cells.set(Memory(8192, (2, 5), np.dtype(np.float32), None))
    assert words[:9].tolist() == [0, 0, 10, 4, 8192, 2, 5, 20, 4]
    cells.set(Memory(512, (2, 5), np.dtype(np.float32), None))
    assert words[:9].tolist() == [0, 0, 10, 4, 512, 2, 5, 20, 4]
    assert words[[9, 11]].view(np.float32)[[0, 2]].tolist() == [2.0, 2.0]
    addresses = np.frombuffer(block._places, np.uint64)
    assert (addresses == addresses[0] + 8 * np.arange(len(words), dtype=np.uint64)).all()


MACHINE_CODE = b"\x7fELF" + bytes(14) + bytes([190, 0]) + b"code"


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """`compiled` as in a new process, and how often it has had to compile."""
    compilations = []

    def compile(function, signature):
        compilations.append(signature)
        return code["made"], "entry"

    code = {"made": MACHINE_CODE}
    monkeypatch.setattr(compiling, "cache_folders", lambda: [tmp_path])
    monkeypatch.setattr(compiled, "_machine_code", compile)
    monkeypatch.setattr(compiled, "_versions", lambda: ("0.30", (13, 0)))

    def anew(function, *example, capability=(9, 0)):
        signature = compiled.signature_of(example)
        return compiled.compiled.__wrapped__(function, signature, capability)

    return SimpleNamespace(get=anew, count=compilations, code=code, folder=tmp_path)


@needs_types
def test_machine_code_is_kept_for_each_type_and_device(kept):
    single = np.float32(0)
    assert [kept.get(fill, single) for _ in range(2)] == [(MACHINE_CODE, "entry")] * 2
    assert len(kept.count) == 1
    kept.get(fill, np.float64(0))
    kept.get(fill, single, capability=(8, 0))
    assert len(kept.count) == len(list(kept.folder.iterdir())) == 3
    for path in kept.folder.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    kept.get(fill, single)
    assert len(kept.count) == 4


@needs_types
def test_only_code_for_a_gpu_made_of_ours_is_kept(kept):
    kept.get(fill, Pair(np.float32(0), np.float32(0)))
    kept.code["made"] = b".version 9.5"
    kept.get(fill, np.float32(0))
    assert list(kept.folder.iterdir()) == []
