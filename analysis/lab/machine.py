"""Memory of this machine and of this process."""

import os
import sys
from pathlib import Path

from analysis.lab.errors import UsageError

_SYSTEM = Path("/proc/meminfo")
_PROCESS = Path("/proc/self/status")
_CONTAINER = Path("/sys/fs/cgroup")


def available():
    """Bytes that can be taken without swapping, or None where the system does not say."""
    return min((one for one in (_of_system(), _of_container()) if one is not None), default=None)


def require(needed, purpose, instead):
    """Refuse what would not fit.

    Raises
    ------
    UsageError
        If fewer than `needed` bytes are available; it says what for, and what to do `instead`.
    """
    free = available()
    if free is not None and free < needed:
        raise UsageError(
            f"{purpose} needs {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are available: "
            f"free some, or {instead}"
        )


def resident():
    """The bytes that this process has in physical memory now; its `peak` where none can tell."""
    now = _kilobytes(_PROCESS, "VmRSS")
    return peak() if now is None else now


def peak():
    """The largest number of bytes that this process has had in physical memory.

    Linux is asked for the process's own high-water mark: the one of `getrusage` also counts what
    the parent held when it started this process.
    """
    own = _kilobytes(_PROCESS, "VmHWM")
    if own is not None:
        return own
    try:
        import resource
    except ImportError:
        raise UsageError("peak memory cannot be measured here: use Linux or macOS") from None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _of_system():
    """What Linux estimates; elsewhere half of what is built in, since the system needs some."""
    estimate = _kilobytes(_SYSTEM, "MemAvailable")
    if estimate is not None:
        return estimate
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return None


def _of_container():
    """What a container's limit leaves, or None where there is no limit."""
    try:
        limit = int((_CONTAINER / "memory.max").read_text())  # "max" where there is none
        used = int((_CONTAINER / "memory.current").read_text())
        facts = dict(line.split() for line in (_CONTAINER / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return limit - used + int(facts.get("inactive_file", 0))  # cached files give way


def _kilobytes(path, name):
    """A line such as ``VmHWM:  1234 kB`` in bytes, or None."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    values = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return 1024 * int(values[0]) if values else None
