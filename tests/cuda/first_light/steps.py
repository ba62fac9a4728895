"""What is looked at on a GPU that is new, in the order of the risk that each retires.

Each step is a process of its own, bounded in time, so that one which fails, hangs or ends its
process takes nothing from the next. Only what is installed is used.
"""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

__all__ = ["Step", "steps"]

_SANITIZER = "/usr/local/cuda/bin/compute-sanitizer"
_TESTS = "tests/cuda"


class Step(NamedTuple):
    """One step: a command, what it is for, and how long it may take."""

    name: str
    title: str
    command: list[str]
    seconds: int
    missing: str | None = None  # why it cannot be taken here


def steps(folder):
    """All steps; what they make goes into `folder`."""
    return [
        _own(folder, "versions", "what is installed, and the device", 60),
        _own(folder, "kernel", "one kernel is compiled, launched and right", 120),
        _own(folder, "small", "every decay and store on tables of a few rows", 300),
        _own(folder, "large", "the same on many blocks, rows in every way", 300),
        _own(folder, "huge", "a table of more than 2**31 numbers", 180),
        _pytest("streams", "steps wait for their inputs on any stream", "test_streams.py", 180),
        _sanitizer(folder, "memcheck", 300),
        _sanitizer(folder, "racecheck", 300),
        _own(folder, "launches", "kernels that a step launches", 120),
        _own(folder, "times", "host beside device time of a step", 240),
        _speed(folder),
        _pytest("size", "many blocks and repeated bits, all stores", "test_size.py", 420),
        _pytest("battery", "every optimizer, store and decay", "test_gpu.py", 900),
    ]


def _own(folder, name, title, seconds):
    command = [sys.executable, "-m", "tests.cuda.first_light.work", name]
    return Step(name, title, [*command, str(Path(folder) / f"{name}.json")], seconds)


def _pytest(name, title, file, seconds):
    missing = _missing("pytest", "hypothesis")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5"]
    return Step(name, title, [*command, f"{_TESTS}/{file}"], seconds, missing)


def _sanitizer(folder, tool, seconds):
    found = shutil.which("compute-sanitizer") or shutil.which(_SANITIZER)
    step = _own(folder, "small", f"compute-sanitizer {tool} finds nothing", seconds)
    command = [found or "compute-sanitizer", f"--tool={tool}", "--error-exitcode=9"]
    own = [*step.command[:-1], str(Path(folder) / f"{tool}.json")]
    missing = None if found else "compute-sanitizer is not installed"
    return Step(tool, step.title, [*command, *own], seconds, missing)


def _speed(folder):
    command = [sys.executable, "-m", "analysis", "run", "gpu-speed", "--quick"]
    command += ["--out", str(Path(folder) / "speed")]
    title = "beside PyTorch's and CuPy's optimizers, as a share of copy bandwidth"
    return Step("speed", title, command, 600, _missing("scipy", "tqdm"))


def _missing(*packages):
    absent = [name for name in packages if find_spec(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else None
