"""Settings for all the tests."""

import os

# Threads that wait in a loop instead of asleep make test processes that share the cores ten times
# slower. Read when a threading layer starts, hence set before anything imports Numba.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from hypothesis import settings

# The same examples at every run, and no time limit on one: the first may compile kernels.
settings.register_profile("reproducible", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("reproducible")
