"""The steps that are not commands of others: ``python -m tests.cuda.first_light.work NAME FILE``.

Each returns what it found, which goes to the file as JSON also where something is wrong.
"""

import json
import platform
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import sketchlab as sl
from analysis.timing import gpu_events
from analysis.timing.gpu_contenders import OPTIMIZERS, ROWS, VARIANTS, draw, ours
from sketchlab.kernels.cuda import CUDA, driver

__all__ = ["WORK"]

PACKAGES = (
    "numpy", "numba", "numba-cuda", "cuda-bindings", "cuda-core", "nvidia-cuda-nvrtc",
    "nvidia-nvvm", "nvidia-cuda-nvcc", "nvidia-nvjitlink", "nvidia-cuda-runtime", "cupy-cuda12x",
    "cupy-cuda13x", "torch", "pytest", "scipy",
)  # fmt: skip
BETAS, EPS, LR = (0.97, 0.999), 0.125, 0.05
# Of the largest entry, which is about 5. A gradient that is lost or comes twice moves its row by a
# hundredth of that or more; sums of some thousand equal rows, rounded in float32, by a millionth.
LIMIT = {"float32": 1e-4, "float64": 1e-10}


class Wrong(Exception):
    """What was computed is not what the host computes; the findings say where."""


def versions(_):
    """Versions, the device and what the driver says of it."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    found |= gpu_events.installed(PACKAGES)
    memory = driver.cuda.current_context().get_memory_info()
    found |= {"device": gpu_events.device(), "l2_bytes": gpu_events.l2_bytes()}
    found |= {"free_bytes": int(memory.free), "total_bytes": int(memory.total)}
    try:
        said = subprocess.run(["nvidia-smi", "-q"], capture_output=True, text=True, timeout=30)
        found["nvidia-smi"] = said.stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        found["nvidia-smi"] = str(error)
    return found


def kernel(_):
    """The time to the first launch, and to a second one."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        array = gpu_events.filled((1000,), 3.5)
        driver.cuda.synchronize()
        times.append(time.perf_counter() - start)
        if not (array.copy_to_host() == 3.5).all():
            raise Wrong("a kernel that fills an array does not")
    return {"first_s": times[0], "second_s": times[1]}


def _steps(n, dim, k, kinds, dtype, rng):
    """Gradients that keep away from zero, whose signs belong to the entry; rows of each kind."""
    signs = rng.choice([-1, 1], (n, dim))
    for kind in kinds:
        rows = None if kind == "dense" else draw(n, k, kind, rng)
        size = rng.uniform(0.25, 2, (n if rows is None else k, dim))
        yield (size * signs[slice(None) if rows is None else rows]).astype(dtype), rows


def compare(name, n, dim, k, dtype, host, deterministic=False):
    """Largest difference between device and host after steps of all kinds, of the largest entry."""
    family, stores = (OPTIMIZERS | VARIANTS)[name]
    settings = {"betas": BETAS} if family == "Adam" else {"beta": BETAS[1]}
    here = np.random.default_rng(1).standard_normal((n, dim)).astype(dtype)
    there = driver.cuda.to_device(here)
    engine = CUDA(deterministic=deterministic)
    pair = [
        getattr(sl, family)(table, LR, eps=EPS, backend=backend, **settings, **stores)
        for table, backend in ((there, engine), (here, host))
    ]
    for grads, rows in _steps(n, dim, k, (*ROWS, "dense"), dtype, np.random.default_rng(2)):
        on_device = None if rows is None else driver.cuda.to_device(rows)
        pair[0].step(driver.cuda.to_device(grads), rows=on_device)
        pair[1].step(grads, rows=rows)
    found = there.copy_to_host()
    return float(np.abs(found - here).max() / np.abs(here).max())


def dtype_for(name, dtype):
    """In single precision rounding may turn a code of one byte into its neighbour."""
    kept = (OPTIMIZERS | VARIANTS)[name][1].values()
    return "float64" if any(isinstance(store, sl.Quantized) for store in kept) else dtype


def _compared(save, shape, dtype, host):
    found, wrong = {}, []
    for name in OPTIMIZERS | VARIANTS:
        number = dtype_for(name, dtype)
        for deterministic in (False, True):
            key = f"{name}{', deterministic' * deterministic}"
            found[key] = compare(name, *shape, number, host, deterministic)
            if not found[key] <= LIMIT[number]:
                wrong.append(key)
            save(found)
    if wrong:
        raise Wrong(f"further from the host than rounding explains: {'; '.join(wrong)}")
    return found


def small(save):
    """Every decay and store on tables of a few rows, beside plain NumPy."""
    return _compared(save, (40, 5, 12), "float64", "reference")


def large(save):
    """Many blocks, beside the CPU kernels."""
    return _compared(save, (200_000, 33, 50_000), "float32", "cpu")


def huge(save):
    """Rows on both sides of the number 2**31."""
    dim = 64
    n = 2**31 // dim + 100
    there = driver.cuda.device_array((n, dim), np.float32)
    rows = np.array([0, 1, n - 1, n - 50, n - 101, n // 2])
    flat = there.reshape(n * dim)
    for row in rows:
        flat[row * dim : (row + 1) * dim].copy_to_device(np.zeros(dim, np.float32))
    opt = sl.SGD(there, 1.0, backend="cuda")
    grads = np.arange(1, len(rows) + 1, dtype=np.float32)[:, None] * np.ones(dim, np.float32)
    opt.step(driver.cuda.to_device(grads), rows=driver.cuda.to_device(rows))
    found = {int(row): float(flat[row * dim : row * dim + 1].copy_to_host()[0]) for row in rows}
    if list(found.values()) != (-grads[:, 0]).tolist():
        raise Wrong(f"rows of a table of {n * dim:,} numbers moved wrongly: {found}")
    return {str(row): value for row, value in found.items()}


@contextmanager
def counted():
    """Count launches by numba-cuda and by cuda-bindings in the block: a list of one number."""
    from cuda.bindings import driver as bindings
    from numba.cuda.dispatcher import _Kernel

    count, places = [0], [(bindings, "cuLaunchKernelEx"), (bindings, "cuLaunchKernel")]
    kept = [(place, name, getattr(place, name)) for place, name in [*places, (_Kernel, "launch")]]

    def counting(function):
        def launch(*arguments, **settings):
            count[0] += 1
            return function(*arguments, **settings)

        return launch

    try:
        for place, name, function in kept:
            setattr(place, name, counting(function))
        yield count
    finally:
        for place, name, function in kept:
            setattr(place, name, function)


def launches(save):
    """Kernels that a warm step launches, and how many reach the driver."""
    found = {}
    for name in OPTIMIZERS | VARIANTS:
        for rows in (*ROWS, None):
            shape = {"n": 5_000, "dim": 8, "k": rows and 1_000, "rows": rows, "seed": 0}
            step = ours(shape | {"optimizer": name})
            for i in range(3):
                step(i)
            with counted() as count:
                step(3)
            driver.cuda.synchronize()
            found[f"{name}, {rows or 'dense'}"] = count[0]
            save(found)
    return found


def times(save):
    """Host and device time of warm steps, from small to large."""
    found = {}
    for n, dim, k in ((10_000, 64, 100), (1_000_000, 64, 16_384), (2_000_000, 256, 100_000)):
        for name in OPTIMIZERS:
            settings = {"n": n, "dim": dim, "k": k, "rows": "ascending", "seed": 0}
            step = ours(settings | {"optimizer": name})
            ms = {"device_ms": gpu_events.median_ms(step, 20)}
            found[f"{name}, {n:,} x {dim}, {k:,} rows"] = ms | {
                "host_ms": gpu_events.host_ms(step, 20)
            }
            save(found)
            gpu_events.release()
    return found


WORK = {work.__name__: work for work in (versions, kernel, small, large, huge, launches, times)}


def main(name, path):
    """Do the work; what was found so far is in the file at any time."""

    def save(found):
        Path(path).write_text(json.dumps(found, indent=1) + "\n")

    warnings.simplefilter("ignore", sl.StoreSizeWarning)
    save(WORK[name](save))


if __name__ == "__main__":
    main(*sys.argv[1:])
