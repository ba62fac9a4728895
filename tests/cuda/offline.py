"""Kernels compiled to PTX and through ptxas on a machine without a GPU.

The signatures are not written down: a backend is run whose launcher records what it is asked to
launch, over host arrays that pretend to be on a device. So what is compiled here is what a GPU
would be given.
"""

import re
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

import numpy as np

import sketchlab as sl
from sketchlab.kernels.cuda import backend, driver, inputs

TARGETS = ((8, 0), (9, 0))
N, K, DIM = 4096, 256, 64


class Pretended(np.ndarray):
    """A host array with what the backend asks of a device array."""

    __cuda_ndarray__ = True

    @property
    def __cuda_array_interface__(self):
        return self.__array_interface__

    def is_c_contiguous(self):
        return self.flags.c_contiguous

    def copy_to_device(self, other, stream=0):
        assert self.shape == other.shape

    def copy_to_host(self, stream=0):
        return np.array(self)


def pretend(shape, dtype):
    return np.zeros(shape, dtype).view(Pretended)


class Recorder(driver.Launcher):
    """Notes kernels and the types of their arguments instead of launching them."""

    def __init__(self):
        self.stream, self.threads, self.blocks = 0, 256, 1024
        self.launched = {}

    def _launch(self, kernel, blocks, threads, arguments):
        from numba.cuda.typing.typeof import typeof

        signature = tuple(typeof(plain(argument)) for argument in arguments)
        self.launched[kernel, signature] = None


def plain(argument):
    """The argument without pretence."""
    if isinstance(argument, tuple):
        parts = map(plain, argument)
        return type(argument)(*parts) if hasattr(argument, "_fields") else tuple(parts)
    return argument.view(np.ndarray) if isinstance(argument, Pretended) else argument


def launched_by(name, dtype=np.float32, deterministic=False, **settings):
    """{(kernel, types)} that sparse and dense steps of an optimizer launch."""
    with (
        mock.patch.object(backend, "Launcher", Recorder),
        mock.patch.object(driver.cuda, "device_array", pretend),
        mock.patch.object(driver.cuda, "to_device", lambda host, stream=0: host.view(Pretended)),
    ):
        engine = backend.CUDA(deterministic)
        table = pretend((N, DIM), dtype)
        opt = getattr(sl, name)(table, 1e-3, backend=engine, **settings)
        opt.step(pretend((K, DIM), dtype), rows=pretend(K, np.int64))
        opt.step(pretend((N, DIM), dtype))
        for store in opt._stores.values():
            store.update([1], np.ones((1, DIM), dtype))
            store.query([1])
        with suppress(sl.InputError):  # a pretended array tells no answer
            inputs.check_rows(engine._run, pretend(K, np.int64), N)
        with suppress(sl.InputError):
            inputs.check_finite_grads(engine._run, table)
        return list(engine._run.launched)


class Compiled(NamedTuple):
    """What ptxas says of a kernel."""

    registers: int
    spilled: int  # bytes
    stack: int  # bytes
    ptx: str


def compile_offline(kernel, signature, target):
    """Compile for compute capability `target`, and through ptxas."""
    from numba import cuda, types

    with device_of(target):
        answer = cuda.compile(
            kernel, types.void(*signature), device=False, abi="numba", cc=target, output="ptx"
        )
    ptx = answer[0] if isinstance(answer, tuple) else answer
    return Compiled(*_assemble(ptx, target), ptx)


@contextmanager
def device_of(target):
    """A kernel that calls other compiled functions asks for the current device."""
    device = SimpleNamespace(compute_capability=target)
    with mock.patch("numba.cuda.dispatcher.get_current_device", return_value=device):
        yield


def _assemble(ptx, target):
    command = [find_ptxas(), "-v", f"-arch=sm_{target[0]}{target[1]}", "-o", "/dev/null", "-"]
    done = subprocess.run(command, input=ptx, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    numbers = [
        re.search(pattern, done.stderr)
        for pattern in (r"Used (\d+) registers", r"(\d+) bytes spill stores", r"(\d+) bytes stack")
    ]
    return [int(number.group(1)) for number in numbers]


def find_ptxas():
    """ptxas of the installed compiler package; None where it is missing."""
    import nvidia

    for folder in nvidia.__path__:
        for path in sorted(Path(folder).glob("*/bin/ptxas*")):
            return str(path)
    return None
