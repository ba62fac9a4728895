"""An NVIDIA GPU emulated on the CPU, for tests: real PTX, run by gcc behind a stub of the driver.

``python -m tests.cuda.emulator -m pytest tests/cuda/test_gpu.py`` runs a Python command with the
stub in the place of ``libcuda.so.1``. numba-cuda, cuda-bindings and cuda-core are the real ones and
notice nothing: kernels are compiled to PTX by NVIDIA's compiler and launched through the driver's
interface, with its streams, events and memory. What is not tested is the GPU itself: its speed, its
arithmetic units, and the assembler. It needs Linux, gcc and the extra ``ptx``, without
nvidia-nvjitlink: the linker is then the driver's, which here keeps the PTX.

=================  ===============================================================================
``translator``     PTX to C: ``ptx`` reads it, ``translate`` writes a module, ``operands`` a kernel
                   and its operands; ``moving`` and ``computing`` are the instructions, and what
                   is not there is an error
``kernel.h``       what translated kernels are written with
``modules.c``      modules: translated, compiled and kept in ``build/emulator``
``threads.c``      runs the threads of a grid in orders drawn at random
``queue.c``        streams: what is submitted runs when somebody waits, in an order drawn at random
``memory.c``       device memory with margins that no kernel may change, filled with NaN
``driver.c``,      the driver's functions: device and memory, streams, kernels
``stream_calls.c``,
``kernel_calls.c``
``settings.c``     the settings below
``control``        from Python: settings, counters, names of launched kernels
=================  ===============================================================================

Settings are environment variables, and `control.changed` sets them while running:

============================  ====================================================================
``EMULATOR_RUN``              ``kernels``; ``nothing``: launches and copies are counted and do
                              nothing, for the time that a step takes on the host
``EMULATOR_THREADS``          ``ordered``: one thread after the other, shuffled; ``interleaved``:
                              in small grids the next thread is drawn at accesses to memory;
                              ``mixed``: either, drawn for each launch
``EMULATOR_STREAMS``          which of several streams goes on: ``random``; ``latest``: what was
                              submitted last, wherever nothing orders it; ``ordered``
``EMULATOR_SEED``             of all that is drawn
``EMULATOR_MULTIPROCESSORS``  8: by it the backend chooses the number of blocks, 64 at most
``EMULATOR_MEMORY``           bytes; 0: what the host has
============================  ====================================================================

Floats are computed as IEEE 754 has it, rounded to nearest; approximate functions are more accurate
than a GPU's. Not emulated: textures, functions that are called, graphs.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["EmulatorError", "environment"]

HERE = Path(__file__).parent
BUILD = HERE.parents[2] / "build" / "emulator"


class EmulatorError(Exception):
    """Why the emulator cannot be built here."""


def environment(folder=BUILD):
    """The environment in which Python finds the emulated GPU; builds the stub driver if need be.

    Raises
    ------
    EmulatorError
        If gcc or the headers of CUDA are missing.
    """
    library, kernels = _driver(Path(folder)), _translator(Path(folder))
    path = os.environ.get("LD_LIBRARY_PATH")
    return os.environ | {
        "LD_LIBRARY_PATH": f"{library.parent}:{path}" if path else str(library.parent),
        "EMULATOR_KERNELS": str(kernels),
        "EMULATOR_SOURCE": str(kernels / "source"),
        "EMULATOR_PYTHON": sys.executable,
    }


def _translator(folder):
    """A folder for translated kernels with the translator, named by a hash of it.

    A copy: an edit while tests are running must not change what they run.
    """
    sources = [*(HERE / "translator").glob("*.py"), HERE / "kernel.h"]
    kernels = folder / f"kernels-{_digest(sources)}"
    if not kernels.exists():
        part = folder / f"part-{os.getpid()}"
        copy = part / "source"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HERE / "translator", copy / "translator", ignore=ignored)
        shutil.copy(HERE / "kernel.h", copy)
        with suppress(OSError):  # another process was faster
            part.rename(kernels)
        shutil.rmtree(part, ignore_errors=True)
    return kernels


def _driver(folder):
    """The stub, named as the driver is; its folder by a hash of its source."""
    sources = sorted(HERE.glob("*.[ch]"))
    library = folder / f"driver-{_digest(sources)}" / "libcuda.so.1"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        part = library.with_suffix(f".{os.getpid()}")
        command = ["gcc", "-std=gnu11", "-O1", "-Wall", "-shared", "-fPIC", "-U_FORTIFY_SOURCE"]
        command += ["-D_GNU_SOURCE", f"-I{_include()}", "-o", str(part)]
        command += [str(path) for path in sources if path.suffix == ".c"]
        command += ["-ldl", "-lm", "-lpthread"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise EmulatorError("the emulated GPU needs gcc: install it") from None
        except subprocess.CalledProcessError as error:
            raise EmulatorError(f"gcc cannot build the stub driver: {error.stderr}") from None
        part.rename(library)
    return library


def _include():
    """The folder of ``cuda.h`` in NVIDIA's packages."""
    try:
        import nvidia
    except ImportError:
        nvidia = None
    for folder in getattr(nvidia, "__path__", ()):
        for header in sorted(Path(folder).glob("*/include/cuda.h")):
            return header.parent
    raise EmulatorError("the emulated GPU needs cuda.h: pip install 'sketchlab[ptx]'")


def _digest(paths):
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
