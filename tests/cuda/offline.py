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
from sketchlab.kernels.cuda import backend, compiled, driver, inputs, launcher
from sketchlab.kernels.cuda.memory import allocate

TARGETS = ((8, 0), (9, 0), (10, 0))
N, K, DIM = 4096, 256, 64


class Pretended(np.ndarray):
    """A host array with the interface of a device array."""

    @property
    def __cuda_array_interface__(self):
        return self.__array_interface__


def pretend(shape, dtype):
    return np.zeros(shape, dtype).view(Pretended)


class NoDriver:
    """Stands in for the driver: nothing is launched or copied.

    Attributes
    ----------
    log : list
        What was asked for, each with its stream.
    device : int
        The current one; and that in whose memory all addresses are.
    """

    def __init__(self):
        self.log, self.device = [], 0

    def Event(self):
        event = SimpleNamespace()
        event.record = lambda stream: self.log.append(("record", stream))
        event.wait = lambda stream: self.log.append(("wait", stream))
        return event

    def launch(self, kernel):
        def launched(stream):
            self.log.append((kernel.__name__, stream))

        launched.shape = lambda blocks, across, below: None
        return launched

    def copy_to_host(self, host, source, stream):
        host.fill(0)

    def copy_to_device(self, target, source, stream):
        pass

    copy_on_device = copy_to_device

    def current_device(self):
        return self.device

    def device_of(self, address):
        return self.device


class Recorder(launcher.Launcher):
    """Notes kernels and the types of their arguments instead of compiling and launching them."""

    def __init__(self, home=launcher.DEFAULT_STREAM):
        with mock.patch.multiple(
            launcher, require=lambda: None, cuda=mock.MagicMock(), machine_here=NoDriver
        ):
            super().__init__(home)
        self.blocks, self.most, self.together = 1024, 1024, 256
        self.launched = {}

    def _launch(self, kernel, arguments, together):
        self.launched[kernel, compiled.signature_of(arguments)] = None
        return self.machine.launch(kernel)


@contextmanager
def no_driver():
    """Backends made inside the block launch nothing, and allocate on the host."""
    with (
        mock.patch.object(backend, "Launcher", Recorder),
        mock.patch.object(driver.cuda, "device_array", pretend),
    ):
        yield


def launched_by(name, dtype=np.float32, deterministic=False, **settings):
    """{(kernel, types)} that sparse and dense steps of an optimizer launch."""
    with no_driver():
        engine = backend.CUDA(deterministic)
        table = pretend((N, DIM), dtype)
        opt = getattr(sl, name)(table, 1e-3, backend=engine, **settings)
        opt.step(pretend((K, DIM), dtype), rows=pretend(K, np.int64))
        opt.step(pretend((N, DIM), dtype))
        for store in opt._stores.values():
            store.update([1], np.ones((1, DIM), dtype))
            store.query([1])
            store.scale(0.0)  # is folded in at once
        with suppress(sl.InputError):  # a pretended array tells no answer
            inputs.check_rows(engine._run, allocate(K, np.int64), N)
        with suppress(sl.InputError):
            inputs.check_finite_grads(engine._run, engine.view(table))
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
