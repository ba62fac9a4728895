"""Time on a GPU, taken with device events, and on its host; what the device can do at best."""

import gc
import statistics
import sys
import time
from importlib import metadata

import numpy as np

from sketchlab.errors import BackendError
from sketchlab.kernels.cuda import driver
from sketchlab.kernels.cuda.arrays import as_device
from sketchlab.kernels.cuda.elementwise import fill
from sketchlab.kernels.cuda.launcher import Launcher

_USERS = ("numba-cuda", "torch", "cupy-cuda12x", "cupy-cuda13x")  # of the GPU
COPIED = 2**30  # bytes of one array of the copy


def why_not():
    """Why nothing can be timed here, or None."""
    try:
        driver.require()
    except BackendError as error:
        return str(error)
    return None


def why_no_gpu():
    """Why kernels cannot run on a GPU here, or None; the simulator is none."""
    return "kernels run in the simulator here" if driver.simulated() else why_not()


def device():
    """What the timings are of: the device, its driver, the toolkit, the packages that use it."""
    cuda = driver.cuda
    if driver.simulated():
        return {"name": "simulator"}
    here = cuda.get_current_device()
    name = here.name.decode() if isinstance(here.name, bytes) else str(here.name)
    versions = {"driver": cuda.cudadrv.driver.driver.get_version()}
    versions["toolkit"] = cuda.runtime.get_version()
    dotted = {what: ".".join(map(str, version)) for what, version in versions.items()}
    found = {package: version for package, version in installed(_USERS).items() if version}
    return {"name": name, "compute_capability": list(here.compute_capability), **dotted, **found}


def installed(packages):
    """The version of each package, None where there is none."""

    def version(package):
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None

    return {package: version(package) for package in packages}


def l2_bytes():
    """Bytes of the cache that all multiprocessors share; None where the device does not say."""
    if driver.simulated():
        return None
    return getattr(driver.cuda.get_current_device(), "L2_CACHE_SIZE", None)


def release():
    """Give all memory back to the device that nothing uses: pools of PyTorch and CuPy, and ours.

    What one contender keeps another could not have.
    """
    gc.collect()
    if not driver.simulated():
        driver.cuda.synchronize()
        driver.cuda.current_context().deallocations.clear()
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        sys.modules["torch"].cuda.empty_cache()
    if "cupy" in sys.modules:
        sys.modules["cupy"].get_default_memory_pool().free_all_blocks()


def ran_out(error):
    """Whether an exception says that the device's memory is used up, in anybody's words."""
    return isinstance(error, MemoryError) or "out of memory" in (
        str(error).lower().replace("_", " ")
    )


def median_ms(step, repeats, warm_up=3):
    """Median time of ``step(i)`` over `repeats` calls, each between two events on the stream.

    The calls before compile kernels and allocate scratch memory, and are not counted.
    """
    cuda = driver.cuda
    events = [(cuda.event(), cuda.event()) for _ in range(repeats)]
    for i in range(warm_up):
        step(i)
    for i, (start, end) in enumerate(events):
        start.record()
        step(warm_up + i)
        end.record()
    cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in events)


def host_ms(step, repeats):
    """Median time until ``step(i)`` returns, the device being idle when it is called.

    To be called after `median_ms`, which warms up. Where it is more than the time on the device,
    the host is what a training loop waits for.
    """
    times = []
    for i in range(repeats):
        driver.cuda.synchronize()
        start = time.perf_counter()
        step(i)
        times.append((time.perf_counter() - start) * 1e3)
    driver.cuda.synchronize()
    return statistics.median(times)


def copy_bandwidth(repeats, size=None):
    """Bytes a second of a copy from device to device, read and written ones counted."""
    size = size or COPIED
    source = filled((size // 4,))
    target = driver.cuda.device_array(size // 4, np.float32)
    ms = median_ms(lambda _: target.copy_to_device(source), repeats)
    return 2 * size / (ms * 1e-3)


def filled(shape, value=0.0, dtype=np.float32):
    """A device array of one value."""
    array = driver.cuda.device_array(shape, dtype)
    memory = as_device("array", array).memory
    Launcher().flat(fill, array.size, memory.reshape(array.size), np.dtype(dtype).type(value))
    return array
