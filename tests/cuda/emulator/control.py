"""The emulated GPU from Python: whether it is there, its settings, and what it counted."""

import ctypes
import os
from contextlib import contextmanager

__all__ = ["DEFAULTS", "changed", "count", "emulated", "launches"]

DEFAULTS = {
    "run": "kernels",
    "threads": "mixed",
    "streams": "random",
    "seed": "1",
    "multiprocessors": "8",
    "memory": "0",
}


def _driver():
    """The driver's library, if it is the emulator's."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    if not hasattr(library, "emulator_set"):
        return None
    library.emulator_count.restype = ctypes.c_long
    library.emulator_launched.restype = ctypes.c_char_p
    library.emulator_launched.argtypes = [ctypes.c_long]
    return library


def emulated():
    """Whether the GPU of this process is the emulated one."""
    return _driver() is not None


@contextmanager
def changed(**settings):
    """Change settings for a while, such as ``streams="latest"``."""
    library = _driver()
    try:
        for name, value in settings.items():
            library.emulator_set(name.encode(), str(value).encode())
        yield
    finally:
        for name in settings:
            before = os.environ.get(f"EMULATOR_{name.upper()}", DEFAULTS[name])
            library.emulator_set(name.encode(), before.encode())


def count(name):
    """How often something was done in this process: ``launches``, ``allocations``, ``frees``,
    ``synchronisations``, ``copies``, ``sets``, ``records``, ``waits``, ``modules``."""  # fmt: skip
    found = _driver().emulator_count(name.encode())
    if found < 0:
        raise ValueError(f"nothing named {name} is counted")
    return found


def launches(since=0):
    """The mangled names of kernels launched in this process, from number `since` on."""
    library = _driver()
    return [library.emulator_launched(i).decode() for i in range(since, count("launches"))]
