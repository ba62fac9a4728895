"""A recorded stream of gradients, read step by step however large it is.

Two forms of .npz are read, compressed or not. That of `sketchlab.torch.record` (docs/pytorch.md),
of which ``offsets``, ``rows`` and ``values`` are needed; and a plain one, in which every step has
as many rows: ``rows`` (steps, k) and ``values`` (steps, k, columns). ``shape``, that of the table,
may be left out: the table then ends with the largest row. Only one step at a time is in memory.
"""

import hashlib
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy

from analysis.lab.errors import UsageError
from sketchlab.streams import FORMAT

_PIECE = 2**20


class Gradient(NamedTuple):
    """One step: rows (k,), in which some may repeat, their values, and whether it was dense.

    Of a dense gradient rows of zeros are left out.
    """

    rows: np.ndarray
    values: np.ndarray
    dense: bool

    def nonzero(self):
        """The same, of a dense gradient without rows of zeros."""
        if not self.dense:
            return self
        kept = self.values.any(axis=1)
        return Gradient(self.rows[kept], self.values[kept], True)


class Facts(NamedTuple):
    """What a whole stream is: the digest of its gradients, and how many entries it has."""

    sha256: str
    entries: int


class Stream:
    """The gradients of one table of parameters.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    rows, dim : int
        Of the table.
    steps : int
    dtype : dtype
        float32 or float64.

    Raises
    ------
    UsageError
        If the file cannot be read, or is no such stream.
    """

    def __init__(self, path):
        self.path = Path(path)
        with _reading(self.path) as archive:
            names = set(archive.namelist())
            for name in ("rows", "values"):
                self._need(f"{name}.npy" in names, f"it has no array {name}")
            found = str(_array(archive, "format")) if "format.npy" in names else FORMAT
            self._need(found == FORMAT, f"its format is {found!r}, where {FORMAT!r} is read")
            rows, values = (self._header(archive, name) for name in ("rows", "values"))
            self._need(rows.dtype.kind in "iu", f"rows have dtype {rows.dtype}, not integers")
            known = values.dtype in (np.dtype(np.float32), np.dtype(np.float64))
            self._need(known, f"values have dtype {values.dtype}, not float32 or float64")
            self.dtype, self._of_rows = values.dtype, rows.dtype
            self._offsets = self._steps_of(archive, names, rows.shape, values.shape)
            self.steps, self.dim = len(self._offsets) - 1, values.shape[-1]
            self._need(self.steps > 0 and self.dim > 0, "it has no steps or no columns")
            self._dense = np.zeros(self.steps, bool)
            if "dense.npy" in names:
                self._dense = _array(archive, "dense")
                self._need(self._dense.shape == (self.steps,), "dense is not one for every step")
            self.rows = self._rows_of(archive, names)

    # -- reading -------------------------------------------------------------------------------

    def __iter__(self):
        """Yield the `Gradient` of every step.

        Raises
        ------
        UsageError
            If a row is outside the table, a number is not finite, or the file is damaged.
        """
        with (
            _reading(self.path) as archive,
            self._member(archive, "rows") as rows,
            self._member(archive, "values") as values,
        ):
            for step, (count, dense) in enumerate(zip(np.diff(self._offsets), self._dense), 1):
                gradient = Gradient(
                    self._read(rows, self._of_rows, (count,)).astype(np.int64, copy=False),
                    self._read(values, self.dtype, (count, self.dim)),
                    bool(dense),
                )
                self._check(step, gradient)
                yield gradient

    def touches(self):
        """Return in how many steps each row has a gradient, int64 (rows,)."""
        counts = np.zeros(self.rows, np.int64)
        with _reading(self.path) as archive, self._member(archive, "rows") as rows:
            for count in np.diff(self._offsets):
                counts[self._read(rows, self._of_rows, (count,))] += 1  # each row once
        return counts

    def facts(self, seen=lambda step: None):
        """Read all of it, check it, and return its `Facts`; `seen` is called after every step."""
        digest = hashlib.sha256(repr((self.rows, self.dim, self.dtype.name)).encode())
        for step, gradient in enumerate(self, 1):
            for part in (gradient.rows, gradient.values, np.array([gradient.dense])):
                digest.update(np.ascontiguousarray(part).tobytes())
            seen(step)
        return Facts(digest.hexdigest()[:16], int(self._offsets[-1]))

    # -- what can be wrong ---------------------------------------------------------------------

    def _check(self, step, gradient):
        if len(gradient.rows):
            low, high = gradient.rows.min(), gradient.rows.max()
            self._need(
                low >= 0 and high < self.rows,
                f"step {step} has row {low if low < 0 else high}: rows go from 0 to "
                f"{self.rows - 1}",
            )
        if not np.isfinite(gradient.values).all():
            at = int(np.argmin(np.isfinite(gradient.values).all(axis=1)))
            raise UsageError(
                f"{self.path}: step {step} has a NaN or an infinity in row {gradient.rows[at]}: "
                "record gradients that are finite"
            )

    def _need(self, fits, complaint):
        if not fits:
            raise UsageError(
                f"{self.path} is no stream of gradients: {complaint}; give what "
                "sketchlab.torch.record wrote, or rows (steps, k) and values (steps, k, columns)"
            )

    def _header(self, archive, name):
        with archive.open(f"{name}.npy") as member:
            header = _read_header(member)
        self._need(not header.fortran, f"{name} are in Fortran order")
        return header

    def _member(self, archive, name):
        member = archive.open(f"{name}.npy")
        _read_header(member)
        return member

    def _read(self, member, dtype, shape):
        """The next numbers of a member, as an array of that shape."""
        array = np.empty(shape, dtype)
        view, done = memoryview(array).cast("B") if array.size else b"", 0
        while done < len(view):
            piece = member.read(min(_PIECE, len(view) - done))
            self._need(piece, "an array ends too early")
            view[done : done + len(piece)] = piece
            done += len(piece)
        return array

    def _steps_of(self, archive, names, rows, values):
        """Where the entries of each step begin, from the two forms."""
        if "offsets.npy" not in names:
            fits = len(rows) == 2 and len(values) == 3 and rows == values[:2]
            self._need(fits, f"without offsets, rows {rows} and values {values} do not match")
            return np.arange(rows[0] + 1, dtype=np.int64) * rows[1]
        offsets = _array(archive, "offsets")
        fits = len(rows) == 1 and len(values) == 2 and rows == values[:1]
        self._need(fits, f"rows {rows} and values {values} do not match")
        fits = offsets.ndim == 1 and offsets.dtype.kind in "iu" and len(offsets) > 0
        fits = fits and offsets[0] == 0 and offsets[-1] == rows[0] and (np.diff(offsets) >= 0).all()
        self._need(fits, f"offsets do not rise from 0 to the {rows[0]} entries")
        return offsets.astype(np.int64)

    def _rows_of(self, archive, names):
        """Rows of the table: as its shape says, or one more than the largest."""
        if "shape.npy" in names:
            shape = _array(archive, "shape")
            fits = shape.ndim == 1 and shape.dtype.kind in "iu" and len(shape) > 0
            fits = fits and shape.min() > 0 and np.prod(shape[1:]) == self.dim
            self._need(fits, f"shape {shape.tolist()} has not the {self.dim} columns of values")
            return int(shape[0])
        largest = 0
        with self._member(archive, "rows") as rows:
            for count in np.diff(self._offsets):
                largest = max(largest, self._read(rows, self._of_rows, (count,)).max(initial=0))
        return int(largest) + 1


@contextmanager
def _reading(path):
    """The archive; what damaged bytes raise becomes one line."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} is damaged or not an .npz file ({error})") from None


class _Header(NamedTuple):
    shape: tuple
    fortran: bool
    dtype: np.dtype


def _read_header(member):
    version = npy.read_magic(member)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return _Header(*read(member))


def _array(archive, name):
    """A small array as a whole."""
    with archive.open(f"{name}.npy") as member:
        return npy.read_array(member, allow_pickle=False)
