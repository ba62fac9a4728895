"""What tests of a whole GPU need, on a real one and on the emulated one."""

import pytest
from emulator import control

from analysis.timing import gpu_events
from sketchlab.kernels.cuda import driver

__all__ = ["EMULATED", "MARKS", "free_memory", "on_device"]

EMULATED = control.emulated()
WHY_NO_GPU = gpu_events.why_no_gpu()


MARKS = [
    pytest.mark.cuda,
    pytest.mark.skipif(bool(WHY_NO_GPU), reason=WHY_NO_GPU or ""),
    pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning"),
]


def on_device(array, stream=0):
    """A copy on the device, complete when this returns."""
    there = driver.cuda.to_device(array, stream=stream)
    driver.cuda.synchronize()
    return there


def free_memory():
    """Bytes that can be allocated on the device."""
    return int(driver.cuda.current_context().get_memory_info().free)
