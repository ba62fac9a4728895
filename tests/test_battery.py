"""The battery refutes slips: an algorithm that is slightly wrong does not pass its comparison."""

import math

import battery
import naive
import numpy as np
import pytest
from battery import build, initial_table, oracle, stream

pytestmark = pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning")

SHAPE = battery.Shape(20, 3, 4, 5)


def gain_off(right):
    """A complement 1 - beta computed in single precision."""

    def accumulate(self, keep, gain, batch):
        single = float(np.float32(1) - np.float32(keep))
        return right(self, keep, single if gain == 1 - keep else gain, batch)

    return accumulate


def no_decay_on_empty_steps(right):
    """A step without rows returns early."""
    return lambda self, keep, gain, batch: right(self, keep, gain, batch) if batch else None


def row_after_row(right):
    """Each row reads what the rows before it wrote."""

    def accumulate(self, keep, gain, batch):
        for row, u in batch.items():
            right(self, keep, gain, {row: u})

    return accumulate


def eps_inside_the_root(right):
    """√(v + ε) instead of √v + ε."""
    return lambda self, g, m, v: g / math.sqrt(v + self.eps)


def biased(right):
    """Bias correction with the step count of the step before."""

    def direction(self, g, m, v):
        self.step_count -= 0.5
        answer = right(self, g, m, v)
        self.step_count += 0.5
        return answer

    return direction


def rounded_down(right):
    """The next smaller code instead of the nearest one."""

    def round_block(self, values):
        largest = max(abs(value) for value in values) or 1.0
        below = [max(p for p in self.codes if p <= abs(value) / largest) for value in values]
        return [
            largest * math.copysign(code, value) for code, value in zip(below, values, strict=True)
        ]

    return round_block


def active_rows_only(right):
    """Column bounds of the step's rows alone."""

    def accumulate(self, keep, gain, batch):
        rows, kept = self.rows, sorted(batch)
        self.rows = [rows[row] for row in kept]
        right(self, keep, gain, {i: batch[row] for i, row in enumerate(kept)})
        found = dict(zip(kept, self.rows, strict=True))
        self.rows = [found.get(row, keep * value) for row, value in enumerate(rows)]

    return lambda *step: accumulate(*step) if step[-1] else right(*step)


def times_columns(right):
    """The sum over a row's columns instead of the mean."""
    return lambda self, row: [self.dim * value for value in right(self, row)]


def weight_not_restored(right):
    """The mean itself, which a bias correction then takes too high."""
    return lambda self, row: [value / (self.full or 1.0) for value in right(self, row)]


# What: (case, class, method, the slip made of the right method).
SLIPS = {
    "gain": ("Adam dense-lazy dense-lazy", naive.Dense, "accumulate", gain_off),
    "gain of a sketch": ("Adam dense-lazy cms-lazy", naive.Sketch, "accumulate", gain_off),
    "no sign": ("Momentum cs-lazy", naive.CountSketch, "sign", lambda _: lambda *_: 1),
    "lower median": (
        "Momentum cs-global",
        naive.CountSketch,
        "combine",
        lambda _: lambda self, values: sorted(values)[(len(values) - 1) // 2],
    ),
    "maximum": ("Adagrad cms-global", naive.CountMin, "combine", lambda _: lambda _, x: max(x)),
    "sum of targets": (
        "RMSprop cms-conservative",
        naive.ConservativeCountMin,
        "accumulate",
        lambda _: naive.CountMin.accumulate,
    ),
    "lazy for bucket": (
        "RMSprop cms-bucket",
        naive.Sketch,
        "bucket_changes",
        lambda _: naive.Sketch.lazy_changes,
    ),
    "released kernels that read again": (
        "RMSprop cms-bucket",
        naive.Sketch,
        "answer",
        lambda _: lambda self, row: self.query(row),
    ),
    "released kernels that read again, signed": (
        "Momentum cs-bucket",
        naive.Sketch,
        "answer",
        lambda _: lambda self, row: self.query(row),
    ),
    "released kernels without the row's own update": (
        "Momentum cs-bucket",
        naive.Sketch,
        "answer_own",
        lambda right: lambda self, keep, gain, batch: right(self, keep, 0.0, batch),
    ),
    "released kernels without the row's own decay": (
        "Momentum cs-bucket",
        naive.Sketch,
        "answer_own",
        lambda right: lambda self, keep, gain, batch: right(self, 1.0, gain, batch),
    ),
    "bucket for lazy": (
        "RMSprop cms-lazy",
        naive.Sketch,
        "lazy_changes",
        lambda _: naive.Sketch.bucket_changes,
    ),
    "reads after writes": ("RMSprop cms-lazy", naive.CountMin, "accumulate", row_after_row),
    "reads after writes, rank 1": ("RMSprop nmf-lazy", naive.Rank1, "accumulate", row_after_row),
    "empty step": ("Momentum dense-global", naive.Dense, "accumulate", no_decay_on_empty_steps),
    "full rank": (
        "RMSprop svd-lazy",
        naive.Rank1SVD,
        "accumulate",
        lambda _: naive.Dense.accumulate,
    ),
    "eps": ("Adagrad dense-lazy", naive.Adagrad, "direction", eps_inside_the_root),
    "bias": ("Adam dense-lazy dense-lazy", naive.Adam, "direction", biased),
    "Nesterov": (
        "Nesterov dense-lazy",
        naive.Momentum,
        "direction",
        lambda _: lambda self, g, m, v: m,
    ),
    "never clipped, RMSprop": (
        "RMSprop clip",
        naive,
        "clipped",
        lambda _: lambda ratio, limit: ratio,
    ),
    "never clipped, Adam": (
        "Adam clip cs-global cms-conservative",
        naive,
        "clipped",
        lambda _: lambda ratio, limit: ratio,
    ),
    "row weights without effect": (
        "Momentum cs-weighted",
        naive.Weighted,
        "query",
        lambda _: lambda self, row: self.inner.query(row),
    ),
    "all of a noisy estimate": (
        "Momentum cs-shrunken",
        naive.ShrunkenSketch,
        "trust",
        lambda _: lambda self, row: 1.0,
    ),
    "nothing of the past": (
        "Momentum cs-shrunken",
        naive.ShrunkenSketch,
        "trust",
        lambda _: lambda self, row: 0.0,
    ),
    "the noise of a mean": (
        "Momentum cs-shrunken",
        naive,
        "median_variance",
        lambda _: lambda count: 1 / count,
    ),
    "shrunken after the additions": (
        "Adam cs-shrunken cms-conservative",
        naive.Shrunken,
        "answer",
        lambda _: lambda self, row: self.query(row),
    ),
    "rows that come into the head with all their weight": (
        "Momentum ht-cs-shrunken-found",
        naive.Shrunken,
        "end_step",
        lambda _: naive.Weighted.end_step,
    ),
    "head never found": (
        "Momentum ht-cs-bucket-found",
        naive.HeadTail,
        "promote",
        lambda _: lambda self: None,
    ),
    "rows that leave the head are lost": (
        "RMSprop ht-cms-conservative-found",
        naive.HeadTail,
        "put_into_tail",
        lambda _: lambda self, row, values: None,
    ),
    "rounded down": ("RMSprop q8u-lazy", naive.Quantized, "round", rounded_down),
    "other rows' bounds": ("RMSprop sm3", naive.SM3, "accumulate", active_rows_only),
    "sum of columns": ("Adagrad row-lazy", naive.RowWise, "query", times_columns),
    "this v, not the largest": (
        "AMSGrad cs-lazy cms-conservative",
        naive.AMSGrad,
        "second",
        lambda _: lambda self, row: self.v.answer(row),
    ),
    "mean without its weight": ("RMSprop mean", naive.BucketMean, "query", weight_not_restored),
    "never cleaned": (
        "RMSprop cms-lazy-clean",
        naive.CountMin,
        "scale",
        lambda _: lambda self, factor: None,
    ),
}


@pytest.mark.parametrize("name", SLIPS)
def test_battery_refutes(name, monkeypatch):
    """Even in single precision the comparison tells a slip from rounding (codes need double)."""
    case, owner, method, make_slip = SLIPS[name]
    expected = oracle(case, SHAPE)
    monkeypatch.setattr(owner, method, make_slip(getattr(owner, method)))
    opt = build(naive.optimizer, case, SHAPE, initial_table(SHAPE))
    wrong = battery.run_naive(opt, stream(SHAPE))
    dtype = np.dtype("float64" if "q8" in case else "float32")
    rounded = battery.Run(*(x if x is None else x.astype(dtype) for x in wrong))
    with pytest.raises(AssertionError, match="off by"):
        battery.assert_runs_agree(rounded, expected, dtype, name)
