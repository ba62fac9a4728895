"""The battery on a real GPU: `make test-gpu`. Skipped, with the reason, where there is none."""

import pytest
from device_battery import *  # noqa: F403 - the tests themselves
from device_battery import pytestmark as battery_marks
from device_errors import *  # noqa: F403

from analysis.timing import gpu_events

WHY_NO_GPU = gpu_events.why_no_gpu()

pytestmark = [
    *battery_marks,
    pytest.mark.cuda,
    pytest.mark.skipif(bool(WHY_NO_GPU), reason=WHY_NO_GPU or ""),
]
