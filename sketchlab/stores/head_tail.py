"""Head and tail: the most active rows exactly, the others in a sketch, within one budget.

Under a power law a few rows make most of the noise that all others read in a sketch; taken out of
it, they cost little and are exact themselves. Augmented sketches (Roy, Khan & Alonso 2016) and
learned ones (Hsu, Indyk, Katabi & Vakilian 2019) do this for counts; here it is done for optimizer
state, with decay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np

from sketchlab import hashing
from sketchlab.annotations import Array, Decay, DType, Rows, Self, Zeros
from sketchlab.errors import ConfigurationError
from sketchlab.stores.cells import CellStore
from sketchlab.stores.count_min import CountMinSketch
from sketchlab.stores.count_sketch import CountSketch
from sketchlab.stores.description import Description
from sketchlab.validation import (
    checked_choice,
    checked_count,
    checked_flag,
    checked_number,
    checked_rows,
)

__all__ = ["HeadTail"]


class HeadTailStore(CellStore):
    """A live head and tail: the first `heads` cells belong to one row each, the rest is a sketch.

    All `depth` cells of a row in the head are its own one; a step changes it once.

    Attributes
    ----------
    tail : SketchStore
        Addresses and combines the cells of the tail; its table is a part of `cells`.
    residents : ndarray of int64, (heads,)
        Which row each cell of the head belongs to.
    ordered : ndarray of int64, (2, heads) or (2, 0)
        The residents in ascending order, and their cells; nothing where these are the first rows.
    touches : ndarray of uint32, (n,), or None
        Steps that touched each row, where the head is found while running.
    """

    def __init__(
        self, description: "HeadTail", n: int, dim: int, dtype: DType, zeros: Zeros
    ) -> None:
        self._zeros = zeros
        self.heads, width = description.split(n)
        kind, depth = description.unweighted_tail(), description.tail.depth
        cells = self.heads + depth * width
        super().__init__(description, n, dim, dtype, zeros, 1, cells)
        self.tail = kind.live(kind, n, dim, dtype, self._part_for_tail, depth, width)
        self._found: Any = None
        self.ordered = np.empty((2, 0), np.int64)
        if description.rows == "frequent":
            self.touches, self._found = np.zeros(n, np.uint32), np.arange(self.heads)
            self._order_residents()

    def _part_for_tail(self, shape, dtype):
        return self.flat_cells[self.heads :].reshape(*shape)

    def __setstate__(self, state):
        self.__dict__.update(state)
        # in a copy, too, the tail's table is a part of the cells
        self.tail.cells = self._part_for_tail(self.tail.cells.shape, self.dtype)

    @property
    def depth(self) -> int:
        """Number of hash functions of the tail."""
        return self.tail.depth

    @property
    def width(self) -> int:
        """Number of buckets of the tail under each hash function."""
        return self.tail.width

    @property
    def constants(self) -> Array:
        """Hash constants of the tail."""
        return self.tail.constants

    @property
    def conservative(self):
        """Whether a step raises cells only as far as its rows need."""
        return self.tail.conservative

    # -- which cells a row has -----------------------------------------------------------------

    def places(self, rows: Array) -> Array:
        """The rows' cells in the head, −1 for rows that are in the tail, int64 (k,)."""
        if self.touches is None:
            return np.where(rows < self.heads, rows, -1)
        if self.heads == 0:
            return np.full(len(rows), -1)
        ordered, cells = self.ordered
        found = np.minimum(np.searchsorted(ordered, rows), self.heads - 1)
        return np.where(ordered[found] == rows, cells[found], -1)

    @property
    def residents(self) -> Array:
        """Which row each cell of the head belongs to."""
        return np.arange(self.heads) if self._found is None else self._found

    def _order_residents(self):
        """Sort the residents, so that a row is found among them without looking at each."""
        cells = np.argsort(self.residents)
        self.ordered = np.stack([self.residents[cells], cells])

    def slots(self, rows: Array) -> Array:
        """Numbers of the rows' cells in the flattened table, (depth, k)."""
        return self._addresses(rows)[0]

    def signs(self, rows: Rows) -> Array:
        """+1 or -1 for each of the rows' cells, +1 in the head; int8 (depth, k)."""
        return self._addresses(checked_rows(rows, self.n))[1]

    def _addresses(self, rows):
        slots, signs, places = self._in_tail(rows), self.tail.signs(rows), self.places(rows)
        slots[:, places >= 0] = places[places >= 0]
        signs[:, places >= 0] = 1
        return slots, signs

    def _in_tail(self, rows):
        """The cells that rows have, or would have, in the tail, (depth, k)."""
        return hashing.cells(rows, self.constants, self.width, self.heads)

    def buckets(self, rows: Rows) -> Array:
        """Buckets that rows have, or would have, in the tail, int64 (depth, k)."""
        return self.tail.buckets(rows)

    def combine(self, signed_cells: Array) -> Array:
        """As the tail does; all cells of a row in the head are one and the same."""
        return self.tail.combine(signed_cells)

    # -- the head that is found while running --------------------------------------------------

    def touch(self, rows: Array, gain: float) -> None:
        """Count the rows' touches, too, where the head is to be found by them."""
        super().touch(rows, gain)
        if self.touches is not None:
            self.touches[rows] += 1

    def end_step(self, step: int) -> None:
        """Clean the tail, and move the most active rows into the head, where that is due."""
        clean = self.description.tail.clean
        if clean and step % clean.every == 0:
            self.settle()
            tail = self.flat_cells[self.heads :]
            tail *= self.dtype.type(clean.factor)
        if self.touches is not None and step % self.description.every == 0:
            self.promote()

    def promote(self) -> None:
        """Exchange rows between head and tail, so that the head holds the rows touched most often.

        Of rows touched equally often those stay that are in the head, then the lowest come. A row
        that leaves is added to the tail. A row that comes brings the tail's estimate of it: that
        is subtracted there, exactly in sum, where values are signed; non-negative estimates may
        be too large, so subtracting them could put other rows below their truth, and they are
        left to decay.
        """
        wanted = self._most_active()
        leaving = ~np.isin(self.residents, wanted)
        coming = np.setdiff1d(wanted, self.residents)
        if not len(coming):
            return
        going = self.residents[leaving]
        places = np.flatnonzero(leaving)
        cells = self.flat_cells
        values, estimates = cells[places].copy(), self._bring(coming)
        self.residents[places] = coming
        self._order_residents()
        if self.conservative:
            np.maximum.at(cells, self.slots(going), values)
        else:
            np.add.at(cells, self.slots(going), self._factors(going) * values)
        if self.description.signed:
            added = -self.tail._factors(coming) * estimates
            np.add.at(cells, self._in_tail(coming), added)
        cells[places] = estimates

    def _bring(self, coming):
        """The tail's estimates of rows; of a shrunken one a part, and that of their weights."""
        if not self.shrunken:
            return self._read(coming)
        estimates, part = self._trusted(coming)
        self.weights[coming] *= part[:, 0]
        return part * estimates

    def _most_active(self):
        """The `heads` rows touched most often, in ascending order."""
        if self.heads == 0:
            return self.residents
        least = np.partition(self.touches, self.n - self.heads)[self.n - self.heads]
        above = np.flatnonzero(self.touches > least)
        ties = np.flatnonzero(self.touches == least)
        staying = np.isin(ties, self.residents)
        ties = np.concatenate([ties[staying], ties[~staying]])
        return np.sort(np.concatenate([above, ties[: self.heads - len(above)]]))

    # -- the table -----------------------------------------------------------------------------

    @property
    def table(self) -> Array:
        """Values of all cells, (heads + depth·width, dim); a view, valid until the next step."""
        return super().table[0]

    @property
    def nbytes(self) -> int:
        """Bytes of all cells, of the row weights, and of what finds the head."""
        if self.touches is None:
            return super().nbytes
        found = self.touches, self._found, self.ordered
        return super().nbytes + sum(array.nbytes for array in found)

    def merge(self, other: Self) -> Self:
        """Add another store of the same shape, head and hash functions; returns this one.

        Raises
        ------
        ConfigurationError
            If the stores differ, keep row weights, or find their heads while running.
        """
        self._check_mergeable(other)
        if self.touches is not None:
            raise ConfigurationError(
                f"cannot merge {self!r}: its head is found while running and may hold other rows "
                'in the other store, merge stores with rows="first"'
            )
        return super().merge(other)

    def fold(self) -> Self:
        """Halve the width of the tail; returns the store.

        Raises
        ------
        ConfigurationError
            If the width is odd.
        """
        self.tail.check_foldable()
        folded = self.tail.folded()
        parts = self.flat_cells[: self.heads], folded.reshape(-1, self.dim)
        cells = np.concatenate([np.asarray(part) for part in parts])
        self.cells = self._zeros((1, *cells.shape), self.dtype)
        self.cells[...] = cells[None]
        self.tail.cells = self._part_for_tail(folded.shape, self.dtype)
        return self

    def signature(self) -> dict[str, Any]:
        """What two stores must share for their cells to mean the same."""
        return {
            **super().signature(),
            "heads": self.heads,
            "tail": type(self.description.tail).__name__,
            "rows": self.description.rows,
            "depth": self.depth,
            "width": self.width,
            "conservative": self.conservative,
            "seed": self.description.tail.seed,
        }

    def state(self) -> dict[str, Any]:
        """Everything that changes during a run, as numbers and the live arrays themselves."""
        if self.touches is None:
            return super().state()
        return super().state() | {"residents": self._found, "touches": self.touches}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; shapes and dtypes have been checked by the caller."""
        super().restore(state)
        if self.touches is not None:
            self._found[...] = state["residents"]
            self.touches[...] = state["touches"]
            self._order_residents()


@dataclass(frozen=True)
class HeadTail(Description[HeadTailStore]):
    """Keep some rows exactly and sketch the others, both within the budget of the sketch alone.

    With compression c the budget is n/c rows of numbers: ⌊head·n/c⌋ of them are exact rows, the
    rest is the table of the tail. A tail of given `width` is the part 1 − `head` of the budget.

    Parameters
    ----------
    head : float
        The head's part of the budget, in [0, 1).
    tail : CountSketch or CountMinSketch
        How the other rows are kept; its decay is that of the head, too. Rows in the head are
        exact under every decay. `clean` cleans the tail alone.
    rows : {"first", "frequent"}
        ``"first"``: the head is the first rows, as in a vocabulary that is sorted by frequency.
        ``"frequent"``: it is found while running. Touches are counted (4 bytes a row), and at the
        end of every `every`-th step the rows touched most often move into the head, their
        estimates with them; see `HeadTailStore.promote`. Until then it holds the first rows.
    every : int
        Steps between searches for the most active rows; each is a pass over the n counts.
    row_weights : bool
        As for `CountSketch`: implies global decay, so a `tail` with the default decay takes that.

    Examples
    --------
    >>> store = HeadTail(head=0.5, tail=CountSketch(compression=4)).allocate(n=80, dim=2)
    >>> store.heads, store.tail.table.shape, store.nbytes
    (10, (3, 3, 2), 152)
    >>> store.update([4, 60], [[1, 2], [3, 4]])
    >>> store.query([4, 60])
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """

    head: float = 0.75
    tail: CountSketch | CountMinSketch = field(default_factory=CountSketch)
    rows: Literal["first", "frequent"] = "first"
    row_weights: bool = False
    every: int = 100

    def __post_init__(self):
        object.__setattr__(self, "every", checked_count("every", self.every, 1))
        object.__setattr__(self, "head", checked_number("head", self.head, 0, below=1))
        object.__setattr__(self, "row_weights", checked_flag("row_weights", self.row_weights))
        checked_choice("rows", self.rows, ("first", "frequent"))
        if not isinstance(self.tail, (CountSketch, CountMinSketch)):
            raise ConfigurationError(
                f"tail={self.tail!r}: give sketchlab.CountSketch(...) or CountMinSketch(...)"
            )
        if self.tail.cells is not None:
            raise ConfigurationError(
                f"tail={self.tail!r}: head and tail are one table, of the variable's own numbers; "
                "leave cells out of the tail"
            )
        if self.shrink:
            object.__setattr__(self, "row_weights", True)
        elif getattr(self.tail, "row_weights", False):
            raise ConfigurationError(
                "tail has row_weights=True: give row_weights to HeadTail, they are for all rows"
            )
        if self.row_weights:
            self._weigh_tail()

    def _weigh_tail(self):
        if self.tail.decay == "bucket" or self.tail.clean:
            raise ConfigurationError(
                f"row_weights=True with tail={self.tail!r}: row weights correct global decay, "
                'leave out clean and give the tail decay="global"'
            )
        object.__setattr__(self, "tail", replace(self.tail, decay="global"))

    @property
    def shrink(self) -> bool:
        """True where the tail's answers are shrunken; the head's are exact."""
        return getattr(self.tail, "shrink", False)

    def unweighted_tail(self) -> CountSketch | CountMinSketch:
        """The tail without row weights, which are kept for all rows together."""
        if isinstance(self.tail, CountSketch) and self.tail.shrink:
            return replace(self.tail, shrink=False, row_weights=False)
        return self.tail

    @property
    def signed(self) -> bool:  # type: ignore[override]
        """True where the tail can hold values of either sign."""
        return self.tail.signed

    @property
    def host_only(self) -> str | None:  # type: ignore[override]
        """Why the store cannot live on a device: a head that is found is found on the host."""
        if self.rows == "first":
            return None
        return (
            'counts touches on the host to find its head: use rows="first", with the table sorted '
            'by activity, or backend="cpu"'
        )

    @property
    def decay(self) -> Decay | None:
        """The decay of the tail, and so of the head."""
        return self.tail.decay

    def with_seed(self, seed: int) -> Self:
        """The same description with other hash functions for the tail."""
        return replace(self, tail=self.tail.with_seed(seed))

    def to_dict(self) -> dict[str, Any]:
        """The description as plain strings and numbers, for files; see `from_dict`."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return {"kind": type(self).__name__, **plain, "tail": self.tail.to_dict()}

    def split(self, n: int) -> tuple[int, int]:
        """Rows in the head and buckets of the tail for a variable of n rows: (heads, width)."""
        depth, tail = self.tail.depth, 1.0 - self.head
        if self.tail.width is not None:
            heads = int(self.head * depth * self.tail.width / tail)
            return min(n, heads), self.tail.width
        budget = n / self.tail.compression
        return int(self.head * budget), max(1, int(tail * budget / depth))

    def _live(self, n, dim, dtype, zeros):
        return HeadTailStore(self, n, dim, dtype, zeros)
