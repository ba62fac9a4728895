"""How kernels are compiled, and the disk cache that keeps them.

Numba keys a cached kernel by the file in which it stands, but a kernel here also runs rules,
hashes and store arithmetic from other files. So the cache lies in a folder named after a hash of
all these sources, and of whatever turns them into machine code: an edit or a new version anywhere
starts a new folder, and processes of different versions never share one.

Numba's own files are not used. It keeps an index for each function, which is read, changed and
written back: of two processes that do so at once, one loses its entry, or both give one name to
two different kernels, and a later process runs what was compiled for other types. It also ends
with a traceback where a file is damaged or cannot be saved. Here every specialisation has a file
of its own, which begins with a hash of the rest.
"""

import hashlib
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
import uuid
import warnings
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path

import llvmlite
import numba
import numpy as np
from numba import config

from sketchlab.kernels.numba_private import Dispatcher, KeptCode, compile_kernel

__all__ = ["KERNELS", "KernelFiles", "kernel", "told_if_long"]

PACKAGE = Path(__file__).resolve().parent.parent

#: Every compiled kernel, in the order of definition; ``stats`` of one counts its hits and misses.
KERNELS: list[Dispatcher] = []

DAYS_KEPT = 30
#: Seconds after which the user is told what a first step is doing.
LONG = 3.0
_CHECKSUM = hashlib.sha256
_CHECKSUM_BYTES = _CHECKSUM().digest_size


@cache
def sources_hash():
    """A short hash over all that kernels are, or might be, made from, and by."""
    digest = _CHECKSUM(repr(_compiler()).encode())
    folders = [PACKAGE / name for name in ("rules", "stores", "kernels")]
    paths = [PACKAGE / "hashing.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    for path in sorted(paths):
        source = path.read_bytes()
        digest.update(f"\0{path.relative_to(PACKAGE).as_posix()}\0{len(source)}\0".encode())
        digest.update(source)
    return digest.hexdigest()[:16]


def _compiler():
    """Versions, and those settings of Numba (``NUMBA_OPT`` and so on) that change machine code."""
    versions = [module.__version__ for module in (numba, llvmlite, np)]
    settings = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT")
    chosen = [str(getattr(config, name, None)) for name in (*settings, "USING_SVML")]
    return sys.version, *versions, *chosen


@cache
def cache_folders():
    """Folders in which compiled kernels are looked for; they are saved in the first that lets us.

    Beside the package, which may be read-only and still hold kernels, then in the user's cache;
    where neither can be written to, in a private folder for temporary files. ``NUMBA_CACHE_DIR``
    takes the place of all.
    """
    if config.CACHE_DIR:
        places = [Path(config.CACHE_DIR) / "sketchlab"]
    else:
        places = [PACKAGE / "__pycache__"]
        with suppress(RuntimeError):  # a user without a home
            user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
            places.append(user / "sketchlab")
        if not any(map(_can_be_written, places)):
            places.extend(_private_temporary())
    return [place.absolute() / f"kernels-{sources_hash()}" for place in places]


def _can_be_written(place):
    """Whether a folder, or the nearest one above it that exists, can be written to."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def _private_temporary():
    """The user's own folder among the temporary files, in a list; empty where there is none.

    Whoever can write a kernel file has its code run. A folder in a place that all users write to is
    therefore taken only if it is a true folder of this user, with no permission for any other.
    """
    if not hasattr(os, "getuid"):  # Windows: the place itself is the user's
        return [Path(tempfile.gettempdir()) / "sketchlab"]
    place = Path(tempfile.gettempdir()) / f"sketchlab-{os.getuid()}"
    try:
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
        found = place.lstat()
    except OSError:
        return []
    others = stat.S_IRWXG | stat.S_IRWXO
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & others
    return [place] if private and found.st_uid == os.getuid() else []


class KernelFiles:
    """The files in which one compiled kernel is kept, one for each key."""

    def __init__(self, function):
        name = f"{function.__module__}.{function.__qualname__}"
        self._name = name.replace("<", "").replace(">", "")  # not allowed on Windows
        self._folders = cache_folders()

    @property
    def cache_path(self):
        """Where the kernel would best be kept."""
        return str(self._folders[0])

    def contents(self, key):
        """What the sound files hold that may have been kept under a key."""
        for folder in self._folders:
            content = _read(folder / self._file_name(key))
            if content is not None:
                yield content

    def keep(self, key, content):
        """Make a file; where that is impossible, say so once and go on without."""
        for folder in self._folders:
            try:
                return _write(folder / self._file_name(key), content)
            except OSError as error:
                reason = error.strerror
        _warn_once(self._folders[-1], reason)

    def flush(self):
        """Forget the kernel, for all signatures."""
        for folder in self._folders:
            for path in folder.glob(f"{self._name}-*"):
                with suppress(OSError):
                    path.unlink()

    def _file_name(self, key):
        return f"{self._name}-{_CHECKSUM(repr(key).encode()).hexdigest()[:16]}.kernel"


class DispatcherFiles(KernelFiles, KeptCode):
    """The disk cache of a dispatcher: a file for each signature."""

    def __init__(self, dispatcher):
        KernelFiles.__init__(self, dispatcher.py_func)
        KeptCode.__init__(self, dispatcher)


@cache  # Numba resets the memory of the warnings module whenever it compiles
def _warn_once(folder, reason):
    warnings.warn(
        f"compiled kernels cannot be kept in {folder} ({reason}): each new process compiles them "
        "again; set NUMBA_CACHE_DIR to a folder that can be written to",
        RuntimeWarning,
        stacklevel=3,
    )


def _read(path):
    """The content of a file that `_write` made, or None where there is none or it was damaged."""
    try:
        checked = path.read_bytes()
    except OSError:
        return None
    with suppress(OSError):
        os.utime(path.parent)  # in use: not to be removed
    checksum, content = checked[:_CHECKSUM_BYTES], checked[_CHECKSUM_BYTES:]
    return content if checksum == _CHECKSUM(content).digest() else None


def _write(path, content):
    """Make a file of a content and its checksum, whole or not at all."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_unused(path.parent.parent)
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        beside.write_bytes(_CHECKSUM(content).digest() + content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _remove_unused(place):
    """Remove folders of other versions that have not been read or written for `DAYS_KEPT` days.

    A process that still uses one has its kernels in memory and makes the folder again when it
    compiles another.
    """
    for folder in place.glob("kernels-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > DAYS_KEPT * 24 * 3600:
                shutil.rmtree(folder)


@contextmanager
def told_if_long():
    """Say on stderr that kernels are being compiled, where what is done takes longer than `LONG`.

    Loading them from disk takes less than a second. It is said once in a process.
    """
    timer = threading.Timer(LONG, _tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@cache  # once is enough
def _tell():
    if sys.stderr is not None:
        print(
            "sketchlab: compiling kernels, which takes up to a minute the first time; they are "
            f"kept in {cache_folders()[0]}; `python -m sketchlab.warm` compiles all of them",
            file=sys.stderr,
            flush=True,
        )


def kernel(function=None, **options):
    """Compile `function`, in parallel, at its first call and keep the result on disk.

    Division follows NumPy (no exception inside a loop, which would stop vectorisation), and the
    GIL is released. Kernels allocate nothing and therefore run without Numba's reference counts:
    counting a view of a row is an atomic operation, on one counter for all threads, and took up to
    half of a step. With ``NUMBA_DISABLE_JIT=1`` a kernel stays what it is.
    """
    if function is None:
        return partial(kernel, **options)
    compiled = compile_kernel(function, DispatcherFiles, **options)
    if isinstance(compiled, Dispatcher):
        KERNELS.append(compiled)
    return compiled
