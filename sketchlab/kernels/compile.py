"""How kernels are compiled: options, and a disk cache that is never stale.

Numba keys a cached kernel by the file in which it stands, but a kernel here also runs rules,
hashes and store arithmetic from other files. So the cache lies in a folder named after a hash of
all these sources: an edit anywhere starts a new folder, and processes of different versions never
meet in one.
"""

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

from numba import config, njit

__all__ = ["kernel"]

PACKAGE = Path(__file__).resolve().parent.parent


@cache
def sources_hash():
    """A short hash over every source file that kernels are, or might be, made from."""
    digest = hashlib.sha256()
    folders = [PACKAGE / name for name in ("rules", "stores", "kernels")]
    paths = [PACKAGE / "hashing.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    for path in sorted(paths):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def cache_folder():
    """Folder of the compiled kernels, or None where no place can be written to.

    Beside the package when that is writable, else in the user's cache; ``NUMBA_CACHE_DIR`` has
    precedence over both.
    """
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    places = [PACKAGE / "__pycache__", user / "sketchlab"]
    if config.CACHE_DIR:
        places.insert(0, Path(config.CACHE_DIR))
    for place in places:
        folder = place / f"kernels-{sources_hash()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return str(folder)
    return None


def kernel(function):
    """Compile `function` in parallel at its first call and keep the result on disk.

    Division follows NumPy (no exception inside a loop, which would stop vectorisation), and the
    GIL is released. Kernels allocate nothing and therefore run without Numba's reference counts
    (`_nrt`): counting a view of a row is an atomic operation, on one counter for all threads, and
    took up to half of a step.
    """
    folder = cache_folder()
    before = config.CACHE_DIR
    config.CACHE_DIR = folder or before
    try:
        options = {"parallel": True, "nogil": True, "error_model": "numpy", "_nrt": False}
        return njit(function, cache=folder is not None, **options)
    finally:
        config.CACHE_DIR = before
