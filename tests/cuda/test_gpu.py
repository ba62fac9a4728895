"""The battery on a real GPU: `make test-gpu`. Skipped, with the reason, where there is none."""

import pytest
from device_battery import *  # noqa: F403 - the tests themselves
from device_battery import pytestmark as battery_marks
from device_errors import *  # noqa: F403

from sketchlab.errors import BackendError
from sketchlab.kernels.cuda import driver


def why_not():
    """Why the battery cannot run here, or None."""
    try:
        driver.require()
    except BackendError as error:
        return str(error)
    return "kernels run in the simulator here" if driver.simulated() else None


pytestmark = [
    *battery_marks,
    pytest.mark.cuda,
    pytest.mark.skipif(why_not() is not None, reason=why_not() or ""),
]
