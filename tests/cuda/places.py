"""What tests of a whole GPU need, on a real one and on the emulated one."""

import pytest
from emulator import control

from analysis.timing import gpu_events
from sketchlab.kernels.cuda import driver

__all__ = ["EMULATED", "MARKS", "free_memory", "on_device"]

EMULATED = control.emulated()


def _why_not():
    """Why kernels cannot run on a device here, or None."""
    if driver.simulated():
        return "kernels run in the simulator here"
    return gpu_events.why_not()


MARKS = [
    pytest.mark.cuda,
    pytest.mark.skipif(_why_not() is not None, reason=_why_not() or ""),
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
