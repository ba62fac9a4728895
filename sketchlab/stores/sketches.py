"""What count-sketches and count-min sketches share: hashed cells, folding."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sketchlab import hashing
from sketchlab.annotations import Array, DType, Rows, Self, Zeros
from sketchlab.errors import ConfigurationError
from sketchlab.stores.cells import CellStore
from sketchlab.stores.description import CELLS, Clean, Description, Live
from sketchlab.stores.two_bytes import widened
from sketchlab.validation import checked_choice, checked_count, checked_number, checked_rows

__all__ = ["SketchDescription", "SketchStore"]

DECAYS = ("lazy", "global", "bucket")


@dataclass(frozen=True)
class SketchDescription(Description[Live]):
    """Checks shared by both kinds of sketch; see `CountSketch` and `CountMinSketch`."""

    live: ClassVar[type]

    def _check(self):
        plain = {
            "depth": checked_count("depth", self.depth, 1),
            # below 1 the sketch would be larger than what it compresses
            "compression": checked_number("compression", self.compression, 1),
            "seed": hashing.checked_seed(self.seed),
        }
        if self.width is not None:
            plain["width"] = checked_count("width", self.width, 1, hashing.MAX_ROWS - 1)
        for name, value in plain.items():
            object.__setattr__(self, name, value)  # NumPy's numbers cannot be written to files
        checked_choice("decay", self.decay, DECAYS)
        checked_choice("cells", self.cells, CELLS)
        if not isinstance(self.clean, (Clean, type(None))):
            raise ConfigurationError(
                f"clean={self.clean!r}: give sketchlab.Clean(factor=..., every=...) or None"
            )

    def width_for(self: Any, n: int) -> int:
        """Buckets for a variable of n rows: the given width, or what the compression leaves."""
        if self.width is not None:
            return self.width
        per_number = 1 if self.cells is None else 2  # in the bytes of one
        return max(1, int(n * per_number / (self.compression * self.depth)))

    def _live(self, n, dim, dtype, zeros):
        return self.live(self, n, dim, dtype, zeros, self.depth, self.width_for(n))


class SketchStore(CellStore):
    """A live sketch: row i has one cell in each of `depth` hashed rows of the table."""

    def __init__(
        self,
        description: Any,
        n: int,
        dim: int,
        dtype: DType,
        zeros: Zeros,
        depth: int,
        width: int,
    ) -> None:
        super().__init__(description, n, dim, dtype, zeros, depth, width)
        self.constants = hashing.hash_constants(description.seed, depth)

    @property
    def width(self) -> int:
        """Number of buckets under each hash function."""
        return self.cells.shape[1]

    def slots(self, rows: Array) -> Array:
        """Cell j·width + bucket_j(row) of the flattened table, (depth, k)."""
        return hashing.cells(rows, self.constants, self.width)

    def buckets(self, rows: Rows) -> Array:
        """Buckets of rows under every hash function, int64 (depth, k)."""
        return hashing.buckets(checked_rows(rows, self.n), self.constants, self.width)

    def fold(self) -> Self:
        """Halve the width, as if the sketch had been built so; returns the sketch.

        Buckets 2b and 2b + 1 become bucket b: their sum where the sketch is linear, their maximum
        where the update is conservative (each row's cell is then still at least its value).

        Raises
        ------
        ConfigurationError
            If the width is odd.
        """
        self.check_foldable()
        self.cells = self.folded()
        self.description = replace(self.description, width=self.width)
        return self

    def check_foldable(self) -> None:
        """Refuse an odd width."""
        if self.width % 2:
            raise ConfigurationError(
                f"width={self.width} is odd: only a sketch of even width can be folded"
            )

    def folded(self) -> Array:
        """The table of cells with neighbouring buckets joined, (depth, width / 2, dim)."""
        pairs = self.cells.reshape(self.depth, self.width // 2, 2, self.dim)
        if self.rounding is None and not self.conservative:
            return pairs.sum(axis=2)
        joined = pairs.max(axis=2)  # two bytes that are not negative compare as integers
        if not self.conservative:
            sums = widened(pairs).sum(axis=2).reshape(-1, self.dim)
            self.rounding.rewrite(joined.reshape(-1, self.dim), lambda _, part: sums[part])
        return joined

    def signature(self) -> dict[str, Any]:
        """What two stores must share for their cells to mean the same."""
        return {**super().signature(), "seed": self.description.seed}
