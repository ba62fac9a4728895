"""Stores made of cells: the exact table and all sketches differ only in which cells a row has.

Row i of the variable lives in `depth` cells of a table (depth, width, dim); a cell is a run of
`dim` numbers. Reading combines the row's cells, a step adds to each of them. The exact variable is
the case of one private cell a row; a head-and-tail store has both kinds of rows. This module holds
the semantics in NumPy, to be read; the compiled kernels run the same arithmetic on the same arrays.

The table is kept divided by a scalar `multiplier`, so that decaying the whole of it costs O(1):
the value of a cell is ``multiplier * cell``. Row weights, where they are kept, are divided by it
too.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sketchlab.annotations import Array, DType, Self, Zeros
from sketchlab.errors import ConfigurationError
from sketchlab.stores.arithmetic import (
    active_cell,
    conservative_target,
    contribution,
    joined,
    lazy_change,
    own_cell,
    weighted_scale,
)
from sketchlab.stores.scaled import ScaledStore, largest_contribution
from sketchlab.stores.shrinkage import trust
from sketchlab.stores.two_bytes import TWO_BYTES, rounding_for, widened

if TYPE_CHECKING:
    from sketchlab.stores.description import Description

__all__ = ["CellStore"]


class CellStore(ScaledStore):
    """A live store whose rows are kept in cells.

    Parameters
    ----------
    description : Description
    n, dim : int
        Shape of the variable.
    dtype : dtype
    zeros : callable
        Makes the table from its shape and dtype, as ``numpy.zeros`` does.
    depth, width : int
        Shape of the table of cells, (depth, width, dim).

    Attributes
    ----------
    cells : ndarray, (depth, width, dim)
        The table divided by `multiplier`; of uint16 where a cell's numbers have two bytes.
    multiplier : float
    rounding : Rounding or None
        What rounds the numbers to two bytes.
    weights : ndarray, (n,), or None
        With row weights: Σ gain·keep^(t−s) over the steps s that touched the row, divided by
        `multiplier`.
    full_weight : float
        The weight of a row that every step touched, divided likewise.
    shrunken : bool
        Whether answers are shrunken as far as the row's cells differ; there are row weights then.
    """

    #: True where every row has one cell to itself.
    private = False
    #: Cells with numbers below this one belong to one row each, whatever the depth.
    heads = 0
    #: How often each row was touched, where a head is to be found by it.
    touches: Any = None
    #: True where a step raises cells to a target instead of adding to them.
    conservative = False

    def __init__(
        self,
        description: "Description[Any]",
        n: int,
        dim: int,
        dtype: DType,
        zeros: Zeros,
        depth: int,
        width: int,
    ) -> None:
        super().__init__(description, n, dim, dtype)
        self.rounding = rounding_for(description, dim, dtype)
        self.cells = zeros((depth, width, dim), dtype if self.rounding is None else TWO_BYTES)
        weighted = getattr(description, "row_weights", False)
        self.weights: Any = zeros((n,), dtype) if weighted else None
        self.full_weight = 0.0
        self.shrunken = getattr(description, "shrink", False)

    @property
    def arrays(self):
        """Attributes that hold what changes in a run; all are divided by the multiplier."""
        return ("cells",) if self.weights is None else ("cells", "weights")

    divided = arrays

    @property
    def depth(self) -> int:
        """Number of cells that a row is read from."""
        return self.cells.shape[0]

    # -- which cells a row has, and how they make one answer: each kind's own ------------------

    def slots(self, rows: Array) -> Array:
        """Numbers of the rows' cells in the flattened table, (depth, k)."""
        raise NotImplementedError

    def signs(self, rows: Array) -> Array:
        """+1 or -1 for each of the rows' cells, int8 (depth, k)."""
        raise NotImplementedError

    def combine(self, signed_cells: Array) -> Array:
        """One answer (k, dim) from the rows' signed cells (depth, k, dim)."""
        raise NotImplementedError

    # -- a step: decay, add, answer ------------------------------------------------------------

    def advance(
        self, rows: Array, values: Array, keep: float, gain: float, squared: bool = False
    ) -> None:
        """One step x ← keep·x + gain·u of some rows, all reads before all writes.

        What else decays is the description's: ``"global"`` decays every cell, ``"lazy"`` takes
        (keep − 1)·x̂ from the cells of the touched rows (Spring et al. 2019, Algorithms 2–4),
        ``"bucket"`` lets each touched row decay its own cells (the kernels they released).

        Parameters
        ----------
        rows : ndarray of int64, (k,)
            Distinct.
        values : ndarray, (k, dim)
        keep, gain : float
        squared : bool
            Whether u is the square of the values, else the values themselves.
        """
        self.make_room(largest_contribution(squared, gain, values))
        gain = self.begin_step(keep, gain)
        added = contribution(squared, gain, values)
        self.touch(rows, gain)
        slots, signs = self.slots(rows), self._factors(rows)
        signs[1:][slots[1:] < self.heads] = 0  # a row's own cell is changed once
        if self.conservative:
            target = conservative_target(self._read(rows), added)
            self._change(np.maximum, rows, slots, np.stack(self.depth * [target]))
        elif self.decay == "global":
            self._change(np.add, rows, slots, signs * added)
        elif self.decay == "lazy":
            change = lazy_change(self._read(rows), added, keep - 1.0)
            self._change(np.add, rows, slots, signs * change)
        else:
            self._change(np.add, rows, slots, signs * added, keep - 1.0)

    def _change(self, join, rows, slots, values, keep_less_one=0.0):
        """Join values (depth, k, dim) to the cells of rows, one row after the other.

        Where `keep_less_one` is not 0, each cell decays before, once for each of its rows.
        """
        cells = self.flat_cells
        if self.rounding is not None:
            for changed in zip(slots, values):
                self.rounding.change(cells, join, rows, *changed, keep_less_one)
            return
        if keep_less_one:
            first = np.arange(self.depth)[:, None] == 0
            touched, active_rows = np.unique(
                slots[first | (slots >= self.heads)], return_counts=True
            )
            active_rows = active_rows.astype(self.dtype)[:, None]
            cells[touched] = active_cell(cells[touched], active_rows, keep_less_one)
        join.at(cells, slots, values)

    def step(self, rows: Array, values: Array, keep: float, gain: float, squared: bool) -> Array:
        """Take a step by `advance`; what it answers to the rule, (k, dim).

        Under ``bucket`` decay a row's answer has its own update and no other row's, as in the
        released kernels, which do not read again what other rows add: keep·x̂ + gain·u. A shrunken
        store, too, reads its cells before any addition; see `shrunken_answers`.
        """
        if self.shrunken:
            answers = self.shrunken_answers(rows, values, keep, gain, squared)
        elif self.decay == "bucket":
            added = contribution(squared, gain, values)
            answers = own_cell(self.estimate(rows), added, keep - 1.0)
        else:
            return super().step(rows, values, keep, gain, squared)
        self.advance(rows, values, keep, gain, squared)
        return answers

    def shrunken_answers(
        self, rows: Array, values: Array, keep: float, gain: float, squared: bool = False
    ) -> Array:
        """What a shrunken store is to answer in a step that is yet to be taken, (k, dim).

        F·(f·y + gain·u)/(f·W + gain): of the decayed estimate y, and of the weight W that belongs
        to it, the part f that can be trusted; of this step u itself. F is the weight of a row that
        every step touches. With f = 1 that is row weights' answer, with f = 0 it is F·u.
        """
        number = self.dtype.type
        decay, gain = keep * self.multiplier, number(gain)
        full = number(decay * self.full_weight + gain)
        estimate, part = self._trusted(rows)
        added = contribution(squared, gain, values)
        weight = joined(part, number(decay) * self.weights[rows][:, None], gain)
        answers = joined(part, number(decay) * estimate, added)
        return weighted_scale(number(1), full, weight) * answers

    def begin_step(self, keep: float, gain: float) -> float:
        """Decay everything where the decay is global; the gain as the divided table needs it."""
        gain = super().begin_step(keep, gain)
        if self.rounding is not None:
            self.rounding.begin()
        if self.weights is not None:
            self.full_weight += gain
        return gain

    def touch(self, rows: Array, gain: float) -> None:
        """Note which rows a step touches, with the gain that `begin_step` gave."""
        if self.weights is not None:
            self.weights[rows] += self.dtype.type(gain)

    def estimate(self, rows: Array) -> Array:
        """The store's answers (k, dim) for valid rows; `query` without its checks."""
        return self.scales(rows)[:, None] * self._read(rows)

    def scales(self, rows: Array) -> Array:
        """What turns the divided table's answers into the store's: (k,), or (1,) for all rows.

        With row weights the answer is the weighted mean of what the row was given, times the
        weight of a row that was touched at every step: so it is what such a row would hold, and a
        rule's bias correction fits it. A row that was never touched reads zero.
        """
        if self.weights is None:
            return np.array([self.multiplier], self.dtype)
        multiplier, full_weight = map(self.dtype.type, (self.multiplier, self.full_weight))
        return weighted_scale(multiplier, full_weight, self.weights[rows])

    def end_step(self, step: int) -> None:
        """Clean, where the description asks for it at this step."""
        clean = getattr(self.description, "clean", None)
        if clean and step % clean.every == 0:
            self.scale(clean.factor)

    def _read(self, rows):
        """Answers (k, dim) of the divided table."""
        if self.shrunken:
            estimate, part = self._trusted(rows)
            return part * estimate
        return self.combine(self._readings(rows))

    def _readings(self, rows):
        """What the divided table says of rows under each hash function, (depth, k, dim)."""
        cells = self.flat_cells[self.slots(rows)]
        return self._factors(rows) * (cells if self.rounding is None else widened(cells))

    def _trusted(self, rows):
        """The divided table's estimates (k, dim), and which part of each to trust, (k, 1).

        All of a row that has a cell to itself, nothing where a row was never touched: what is read
        there is noise.
        """
        readings = self._readings(rows)
        part = trust(readings)
        part[self.weights[rows] == 0] = 0
        part[self.slots(rows)[0] < self.heads] = 1
        return self.combine(readings), part.astype(self.dtype)[:, None]

    def _factors(self, rows):
        """The signs as numbers that multiply cells, (depth, k, 1)."""
        return self.signs(rows).astype(self.dtype)[..., None]

    # -- the multiplier ------------------------------------------------------------------------

    def _split(self):
        """What is left of the multiplier, and the factor that is folded in.

        Into cells of two bytes only its power of two, which is exact.
        """
        if self.rounding is None or self.multiplier == 0:
            return super()._split()
        part, exponent = math.frexp(self.multiplier)
        return 2 * part, math.ldexp(1.0, exponent - 1)

    def _fold_in(self, factor):
        self.full_weight *= factor
        if self.rounding is None:
            super()._fold_in(factor)
            return
        self._multiply_cells(factor)
        if self.weights is not None:
            self.weights *= self.dtype.type(factor)

    def _multiply_cells(self, factor):
        factor = self.dtype.type(factor)
        if self.rounding is None:
            self.cells *= factor
        elif factor == 0:
            self.cells.fill(0)
        elif factor != 1:
            self.rounding.rewrite(self.flat_cells, lambda cells, _: factor * cells)

    def scale(self, factor: float) -> Self:
        """Multiply the whole variable by a factor; returns the store.

        In O(1), unless there are row weights: these stay as they are.

        Raises
        ------
        ConfigurationError
            If the factor is not finite, or negative for a store of non-negative values.
        """
        if self.weights is None:
            return super().scale(factor)
        factor = self._checked_factor(factor)
        self.settle()
        self._multiply_cells(factor)
        return self

    # -- the table -----------------------------------------------------------------------------

    @property
    def flat_cells(self) -> Array:
        """The table as a list of cells, (depth·width, dim); a view."""
        return self.cells.reshape(-1, self.dim)

    @property
    def table(self) -> Array:
        """The table's values, (depth, width, dim); a view that is valid until the next step.

        Of cells of two bytes a float32 copy.
        """
        if self.rounding is not None:
            return self.dtype.type(self.multiplier) * widened(self.cells)
        self.settle()
        return self.cells

    def merge(self, other: Self) -> Self:
        """Add another store of the same shape and hash functions to this one; returns this one.

        For linear stores the result is the store of the sum of both variables, exactly. For a
        conservative sketch the entry-wise sum is what stays above that sum (the entry-wise
        maximum would only stay above the larger of the two).

        Raises
        ------
        ConfigurationError
            If the stores differ in kind, shape, dtype or hash functions, or keep row weights.
        """
        self._check_mergeable(other)
        if self.weights is not None:
            raise ConfigurationError(
                f"cannot merge {self!r}: row weights say how often a row was touched in one "
                "stream, merge stores built without row_weights"
            )
        if self.rounding is None:
            return super().merge(other)
        self.settle()
        share, added = self.dtype.type(other.multiplier / self.multiplier), other.flat_cells
        self.rounding.rewrite(
            self.flat_cells, lambda cells, part: cells + share * widened(added[part])
        )
        return self

    def signature(self) -> dict[str, Any]:
        """What two stores must share for their cells to mean the same."""
        depth, width, _ = self.cells.shape
        kind = {} if self.rounding is None else {"cells": self.description.cells}
        return {**super().signature(), "depth": depth, "width": width, **kind}

    def state(self) -> dict[str, Any]:
        """Everything that changes during a run, as numbers and the live arrays themselves."""
        more = {} if self.weights is None else {"full_weight": self.full_weight}
        if self.rounding is not None:
            more["writes"] = self.rounding.writes
        return super().state() | more

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; shapes and dtypes have been checked by the caller."""
        super().restore(state)
        if self.weights is not None:
            self.full_weight = float(state["full_weight"])
        if self.rounding is not None:
            self.rounding.writes = int(state["writes"])
