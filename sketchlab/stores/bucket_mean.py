"""Buckets that know how often they were touched: the mean of their rows instead of the sum."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from sketchlab.annotations import Array, DType, Self, Zeros
from sketchlab.errors import ConfigurationError
from sketchlab.stores.count_min import CountMinSketch
from sketchlab.stores.live import LiveStore
from sketchlab.stores.scaled import largest_contribution
from sketchlab.stores.sketches import SketchDescription

__all__ = ["BucketMean"]


class BucketMeanStore(LiveStore):
    """A live pair of linear sketches over the same buckets: of u, and of touches.

    Attributes
    ----------
    sums : CountMinStore of (n, dim)
        S: the decayed sum of gain·u in each bucket.
    weights : CountMinStore of (n, 1)
        W: the decayed sum of gain, once for every row and step that touched the bucket.
    full : float
        F: the weight of a row that every step touches.
    """

    def __init__(
        self, description: "BucketMean", n: int, dim: int, dtype: DType, zeros: Zeros
    ) -> None:
        super().__init__(description, n, dim, dtype)
        linear = CountMinSketch(
            width=description.width_for(n, dim),
            depth=description.depth,
            decay="global",
            seed=description.seed,
        )
        self.sums = linear._live(n, dim, dtype, zeros)
        self.weights = linear._live(n, 1, dtype, zeros)
        self.full = 0.0

    def advance(
        self, rows: Array, values: Array, keep: float, gain: float, squared: bool = False
    ) -> None:
        """One step: everything decays; buckets gain the u of their rows, and their number."""
        self.make_room(largest_contribution(squared, gain, values))
        self.sums.advance(rows, values, keep, gain, squared)
        self.weights.advance(rows, np.ones((len(rows), 1), self.dtype), keep, gain)
        self.count_step(keep, gain)

    def make_room(self, largest: float) -> None:
        """Fold the multiplier in, of both, where a large addition to the sums would overflow."""
        if self.sums.lacks_room(largest):
            self.sums.settle()
            self.weights.settle()

    def count_step(self, keep: float, gain: float) -> None:
        """F ← keep·F + gain."""
        self.full = keep * self.full + gain

    def estimate(self, rows: Array) -> Array:
        """F times the smallest of the buckets' means."""
        slots = self.sums.slots(rows)
        weights = self.weights.flat_cells[slots]
        touched = np.where(weights == 0, 1, weights)  # an untouched bucket has the sum 0
        means = self.sums.flat_cells[slots]  # `arithmetic.bucket_mean`, in place
        means *= self.dtype.type(self.full)
        means /= touched
        return means.min(axis=0)

    def scale(self, factor: float) -> Self:
        """Multiply the whole store by a factor, not below zero, as decay does; returns it."""
        self.sums.scale(factor)
        self.weights.scale(factor)
        self.full *= float(factor)
        return self

    def merge(self, other: Self) -> Self:
        """Add another store over the same steps; returns this store.

        The result is the store of both streams together: exactly, where no step touched a row in
        both; a row that was counts twice, and its mean is over both.

        Raises
        ------
        ConfigurationError
            If the stores differ in kind, shape, dtype or hash functions, or in their steps.
        """
        self._check_mergeable(other)
        if not math.isclose(self.full, other.full, rel_tol=1e-9):
            raise ConfigurationError(
                f"cannot merge {other!r} into {self!r}: a row touched at every step would weigh "
                f"{other.full:.6g} there and {self.full:.6g} here, and both must have taken the "
                "same steps; a step without rows counts too"
            )
        self.sums.merge(other.sums)
        self.weights.merge(other.weights)
        return self

    def fold(self) -> Self:
        """Halve the width, as if the store had been built so; returns the store.

        Raises
        ------
        ConfigurationError
            If the width is odd.
        """
        self.sums.fold()
        self.weights.fold()
        self.description = replace(self.description, width=self.sums.width)
        return self

    @property
    def table(self) -> Array:
        """The variable as the store answers it, (n, dim); made anew at each call."""
        return self.estimate(np.arange(self.n))

    @property
    def nbytes(self) -> int:
        """Bytes of sums and weights."""
        return self.sums.nbytes + self.weights.nbytes

    def signature(self) -> dict[str, Any]:
        """What two stores must share for their buckets to mean the same."""
        shape = {"depth": self.sums.depth, "width": self.sums.width}
        return {**super().signature(), **shape, "seed": self.description.seed}

    def state(self) -> dict[str, Any]:
        """Everything that changes during a run, as numbers and the live arrays themselves."""
        return {
            "sums": self.sums.cells,
            "weights": self.weights.cells,
            "multiplier": self.sums.multiplier,  # of both: they decay and are settled together
            "full": self.full,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; shapes and dtypes have been checked by the caller."""
        for sketch, name in ((self.sums, "sums"), (self.weights, "weights")):
            sketch.restore({"cells": state[name], "multiplier": state["multiplier"]})
        self.full = float(state["full"])


@dataclass(frozen=True)
class BucketMean(SketchDescription[BucketMeanStore]):
    """Keep of a non-negative variable the weighted mean over the rows of each bucket.

    A bucket sums up gain·u of its rows, decayed, and beside it the gain itself, once for every
    touch: their ratio is a weighted mean of recent u. The store answers F·min_j(S_j / W_j), where F
    ← keep·F + gain is the weight of a row that every step touches. So a row alone in its buckets
    and always touched is answered exactly, a bias correction by 1 − betaᵗ = F leaves the mean as it
    is, and however many rows share a bucket, their answers add up to the sum of their values where
    steps touch them all (depth 1; the minimum over several means lies lower). A row that is touched
    rarely is answered as if it always were. Decay is ``"global"``; sums and weights are linear.

    Parameters
    ----------
    width : int, optional
        Buckets of each hash function; by default what keeps sums and weights together
        `compression` times smaller than the exact variable, and at least 1.
    depth : int
        Number of hash functions; the answer is the minimum over them.
    compression : float
        How many times smaller than the exact variable, at least 1; unused when `width` is given.
    seed : int
        Of the hash functions, 0 <= seed < 2**64.

    Examples
    --------
    >>> store = BucketMean(width=1, depth=1).allocate(n=3, dim=2)
    >>> store.update([0, 1, 2], [[1.0, 1.0], [2.0, 1.0], [6.0, 1.0]])
    >>> store.query([0, 1, 2])
    array([[3., 1.],
           [3., 1.],
           [3., 1.]], dtype=float32)
    """

    signed: ClassVar[bool] = False
    decay: ClassVar[str] = "global"
    clean: ClassVar[None] = None
    cells: ClassVar[None] = None
    live: ClassVar[type] = BucketMeanStore

    width: int | None = None
    depth: int = 3
    compression: float = 5
    seed: int = 0

    def __post_init__(self):
        self._check()

    def width_for(  # type: ignore[override]
        self, n: int, dim: int
    ) -> int:
        """Buckets for a variable of n rows and `dim` columns; each has one column more."""
        if self.width is not None:
            return self.width
        return max(1, int(n * dim / (self.compression * self.depth * (dim + 1))))

    def _live(self, n, dim, dtype, zeros):
        return BucketMeanStore(self, n, dim, dtype, zeros)
