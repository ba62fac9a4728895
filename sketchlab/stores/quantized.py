"""One byte a number, with a scale for every block of a row (Dettmers et al. 2022)."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sketchlab.annotations import Array, DType, Self, Zeros
from sketchlab.stores.arithmetic import contribution, lazy_change, nearest_code
from sketchlab.stores.code_book import SIGN, code_book, code_lines
from sketchlab.stores.description import Description
from sketchlab.stores.scaled import ScaledStore, largest_contribution
from sketchlab.validation import checked_choice, checked_count, checked_flag

__all__ = ["Quantized"]


class QuantizedStore(ScaledStore):
    """A live variable of which each number is a code, times its block's largest magnitude.

    Attributes
    ----------
    codes : ndarray of uint8, (n, dim)
    scales : ndarray, (n, blocks)
        Largest magnitudes, divided by the multiplier.
    block : int
        Columns of a block; the last one of a row may be shorter.
    """

    arrays, divided = ("codes", "scales"), ("scales",)
    shared = False

    def __init__(
        self, description: "Quantized", n: int, dim: int, dtype: DType, zeros: Zeros
    ) -> None:
        super().__init__(description, n, dim, dtype)
        self.block = min(dim, description.block)
        self.codes = zeros((n, dim), np.dtype(np.uint8))
        self.scales = zeros((n, -(-dim // self.block)), dtype)
        self.book = _copy(code_book(description.signed, dtype), zeros)
        self.lines = _copy(code_lines(description.signed, dtype), zeros)

    def advance(
        self, rows: Array, values: Array, keep: float, gain: float, squared: bool = False
    ) -> None:
        """One step x ← keep·x + gain·u of the decoded rows, which are then coded anew."""
        self.make_room(largest_contribution(squared, gain, values))
        gain = self.begin_step(keep, gain)
        decoded, less = self._read(rows), self.row_keep_less_one(keep)
        decoded += lazy_change(decoded, contribution(squared, gain, values), less)
        self._write(rows, decoded)

    def estimate(self, rows: Array) -> Array:
        """The decoded rows."""
        return self.dtype.type(self.multiplier) * self._read(rows)

    def merge(self, other: Self) -> Self:
        """Add another store, decoded, and code the sum anew; returns this store.

        Raises
        ------
        ConfigurationError
            If the stores differ in kind, shape, dtype or blocks.
        """
        self._check_mergeable(other)
        self.settle()
        every = np.arange(self.n)
        self._write(every, self._read(every) + other.estimate(every))
        return self

    def signature(self) -> dict[str, Any]:
        """What two stores must share for their numbers to mean the same."""
        return {**super().signature(), "block": self.block, "signed": self.description.signed}

    def _read(self, rows):
        """The rows (k, dim) divided by the multiplier."""
        return self.book[self.codes[rows]] * self._spread(self.scales[rows])

    def _write(self, rows, values):
        """Code rows (k, dim): each number by the code that is nearest after division."""
        magnitudes = np.abs(values)
        starts = np.arange(0, self.dim, self.block)
        scales = np.maximum.reduceat(magnitudes, starts, axis=1)
        magnitudes /= self._spread(np.where(scales == 0, 1, scales).astype(self.dtype))
        codes = nearest_code(np.asarray(self.lines), magnitudes)
        if self.description.signed:
            codes |= SIGN * (values < 0)
        self.codes[rows], self.scales[rows] = codes, scales

    def _spread(self, scales):
        """A number for every block as one for every column."""
        return np.repeat(scales, self.block, axis=1)[:, : self.dim]


def _copy(array, zeros):
    """The array, where the store lives."""
    copy = zeros(array.shape, array.dtype)
    copy[...] = array
    return copy


@dataclass(frozen=True)
class Quantized(Description[QuantizedStore]):
    """Keep every number of a variable in one byte, and a scale for each block of a row.

    Block-wise dynamic quantisation (Dettmers et al. 2022): a block of a row is divided by its
    largest magnitude, and each quotient is kept as the nearest of 256 numbers that lie dense near
    one and reach down to 1e-6 (signed) or 1e-7. A step decodes the rows that it touches, moves
    them and codes them anew: numbers move to the nearest code at every step, so a relative change
    within the block of less than half a gap between codes is lost.

    Parameters
    ----------
    bits : {8}
        Of a number.
    block : int
        Columns that share a scale, at most; a block never spans two rows, so that a sparse step
        touches whole blocks.
    decay : {"lazy", "global"}
        Whether only the rows of a step decay, or all, by one factor on the scales.
    signed : bool
        False for a second moment only: the codes that signs took then halve the gaps.

    Examples
    --------
    >>> store = Quantized().allocate(n=1000, dim=4)
    >>> store.update([7], [[-8.0, 4.0, 0.0, 0.01]])
    >>> store.query([7])
    array([[-8.   ,  3.95 ,  0.   ,  0.008]], dtype=float32)
    >>> store.nbytes  # and 16 000 of the exact variable
    8000
    """

    bits: int = 8
    block: int = 256
    decay: Literal["lazy", "global"] = "lazy"
    # a keyword, because fields that the base class names come first
    signed: bool = field(default=True, kw_only=True)  # type: ignore[misc]

    def __post_init__(self):
        object.__setattr__(self, "bits", int(checked_choice("bits", self.bits, (8,))))
        object.__setattr__(self, "block", checked_count("block", self.block, 1))
        checked_choice("decay", self.decay, ("lazy", "global"))
        object.__setattr__(self, "signed", checked_flag("signed", self.signed))

    def _live(self, n, dim, dtype, zeros):
        return QuantizedStore(self, n, dim, dtype, zeros)
