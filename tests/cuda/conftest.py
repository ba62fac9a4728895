"""On the emulated GPU the battery takes one shape, since every depth is another set of kernels.

The simulator runs the others. More rows come in `test_size.py`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for emulator, whichever file is collected first

from emulator import control


def pytest_configure(config):
    """The emulated driver links itself, which numba-cuda finds worth a warning."""
    quiet = "ignore:cuda.bindings.nvjitlink is not available:RuntimeWarning"
    config.addinivalue_line("filterwarnings", quiet)


def pytest_collection_modifyitems():
    """After the battery has been imported, before it runs."""
    device_battery = sys.modules.get("device_battery")
    if device_battery is not None and control.emulated():
        battery = device_battery.battery
        device_battery.SHAPES[:] = [battery.Shape(20, 3, 3, 5)]
        battery.SHAPES = []
