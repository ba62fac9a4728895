"""The registry of optimizers and stores that the tests cross with everything, and their streams."""

from functools import cache
from itertools import cycle
from typing import NamedTuple

import naive
import numpy as np
from agreement import assert_agree, tolerance

import sketchlab as sl

STEPS = 50


class Shape(NamedTuple):
    """Table (n, dim) and sketch (depth, width)."""

    n: int
    dim: int
    depth: int
    width: int


# Awkward on purpose: single rows, columns and buckets, dimensions that are no power of two, even
# depths, buckets with a dozen rows and buckets with none.
SHAPES = [
    Shape(1, 1, 1, 1),
    Shape(1, 3, 2, 1),
    Shape(24, 1, 3, 1),
    Shape(20, 3, 3, 5),
    Shape(9, 33, 4, 4),
    Shape(17, 4, 1, 6),
    Shape(12, 3, 5, 12),
]


def stores(shape, seed):
    """Every store by name; those of the second kind hold non-negative variables only."""
    sketch = {"depth": shape.depth, "width": shape.width, "seed": seed}
    clean, wipe = sl.Clean(factor=0.5, every=7), sl.Clean(factor=0.0, every=7)
    found = {"rows": "frequent", "every": 4}
    signed = {
        "dense-lazy": sl.Dense(decay="lazy"),
        "dense-global": sl.Dense(decay="global"),
        "cs-lazy": sl.CountSketch(decay="lazy", **sketch),
        "cs-global": sl.CountSketch(decay="global", **sketch),
        "cs-bucket": sl.CountSketch(decay="bucket", **sketch),
        "cs-global-clean": sl.CountSketch(decay="global", clean=clean, **sketch),
        "dense-weighted": sl.Dense(row_weights=True),
        "cs-weighted": sl.CountSketch(row_weights=True, clean=clean, **sketch),
        "ht-cs-lazy": _head_tail(sl.CountSketch(decay="lazy", clean=clean, **sketch)),
        "ht-cs-bucket-found": _head_tail(sl.CountSketch(decay="bucket", **sketch), **found),
        "ht-cs-weighted-found": _head_tail(sl.CountSketch(**sketch), row_weights=True, **found),
        "svd-lazy": sl.Rank1SVD(decay="lazy"),
        "svd-global": sl.Rank1SVD(decay="global"),
    }
    non_negative = {
        "cms-lazy": sl.CountMinSketch(decay="lazy", **sketch),
        "cms-global": sl.CountMinSketch(decay="global", **sketch),
        "cms-bucket": sl.CountMinSketch(decay="bucket", **sketch),
        "cms-conservative": sl.CountMinSketch(decay="global", conservative=True, **sketch),
        "cms-lazy-clean": sl.CountMinSketch(decay="lazy", clean=clean, **sketch),
        "cms-conservative-clean": sl.CountMinSketch(
            decay="global", conservative=True, clean=wipe, **sketch
        ),
        "ht-cms-bucket": _head_tail(sl.CountMinSketch(decay="bucket", **sketch)),
        "ht-cms-lazy-found": _head_tail(sl.CountMinSketch(decay="lazy", **sketch), **found),
        "ht-cms-conservative": _head_tail(sl.CountMinSketch(conservative=True, **sketch)),
        "ht-cms-conservative-found": _head_tail(
            sl.CountMinSketch(conservative=True, **sketch), **found
        ),
        "nmf-lazy": sl.Rank1(decay="lazy"),
        "nmf-global": sl.Rank1(decay="global"),
    }
    return signed, non_negative


def _head_tail(tail, **rest):
    """Two rows in five of the budget, so that there are rows of both kinds in most shapes."""
    return sl.HeadTail(head=0.4, tail=tail, **rest)


def compact_stores(shape, seed):
    """The field's other stores, which meet fewer optimizers; a leading q8 is signed."""
    mean = {"depth": shape.depth, "width": shape.width, "seed": seed}
    short = {"block": 2}  # blocks that end within a row
    return {
        "q8-lazy": sl.Quantized(decay="lazy", **short),
        "q8-global": sl.Quantized(decay="global", **short),
        "q8u-lazy": sl.Quantized(decay="lazy", signed=False, **short),
        "q8u-global": sl.Quantized(decay="global", signed=False, **short),
        "row-lazy": sl.RowWise(decay="lazy"),
        "row-global": sl.RowWise(decay="global"),
        "sm3": sl.SM3(),
        "mean": sl.BucketMean(**mean),
    }


def shrunken_stores(shape, seed):
    """Stores of a first moment alone; two hash functions are the fewest of which it can be told."""
    sketch = {"depth": max(shape.depth, 2), "width": shape.width, "seed": seed, "shrink": True}
    clean = sl.Clean(factor=0.5, every=7)
    return {
        "cs-shrunken": sl.CountSketch(**sketch),
        "cs-shrunken-clean": sl.CountSketch(clean=clean, **sketch),
        "ht-cs-shrunken": _head_tail(sl.CountSketch(**sketch)),
        "ht-cs-shrunken-found": _head_tail(sl.CountSketch(**sketch), rows="frequent", every=4),
    }


SIGNED, NON_NEGATIVE = (list(kind) for kind in stores(SHAPES[0], seed=0))
ANY = SIGNED + NON_NEGATIVE
SHRUNKEN = list(shrunken_stores(SHAPES[0], seed=0))

# With K active rows in a bucket a lazy or bucket step multiplies what the bucket held by about
# 1 - K(1 - c). These betas keep K(1 - c) below 0.75 even with all 24 rows in one bucket, so that no
# store amplifies rounding; eps is large enough for its place in the formula to be seen, and BETA2
# close enough to 1 for a complement computed in single precision to be seen.
BETA1, BETA2, EPS = 0.97, 0.999, 0.125

# Where the whole store decays, nothing can be amplified: there betas are tried, too, that shrink it
# by 2**-50 within the stream, and ones that forget everything.
FAST, GLOBAL_SIGNED = 0.5, [name for name in SIGNED if name.endswith("global")]
GLOBAL_ANY = [name for name in ANY if "global" in name or "conservative" in name]

# Every rule once with decoupled weight decay, strong enough to be seen beside its steps.
DECAYED = {"lr": 0.05, "weight_decay": 0.5}

# Betas close together and a small eps, under which a sketched m over a sketched v leaves the
# feasible interval often; for stores that cannot amplify rounding.
CLIPPED = {"betas": (0.6, 0.7), "eps": 1e-3, "clip": "feasible"}

# Of the field's other stores each meets every optimizer that it can, and every decay Adam's.
ADAMS = [
    *zip(cycle(SIGNED), ANY, strict=False),
    ("q8-lazy", "row-lazy"),
    ("q8-global", "sm3"),
    ("dense-lazy", "row-global"),
    ("cs-lazy", "mean"),
    ("cs-global", "q8u-lazy"),
    ("dense-global", "q8u-global"),
    ("cs-shrunken", "cms-conservative"),
    ("cs-shrunken-clean", "cms-bucket"),
    ("ht-cs-shrunken", "cms-lazy"),
    ("ht-cs-shrunken-found", "dense-weighted"),
]
COMPACT = ["q8u-lazy", "row-lazy", "sm3", "mean"]

# name: (optimizer, settings, store of m, store of v); Adam meets every store of m and of v.
CASES = {
    "SGD": ("SGD", {"lr": 0.05}, None, None),
    **{
        " ".join(filter(None, (name, "decayed", m, v))): (name, {**DECAYED, **settings}, m, v)
        for name, settings, m, v in [
            ("SGD", {}, None, None),
            ("Momentum", {"momentum": BETA1}, "cs-lazy", None),
            ("Adagrad", {"eps": EPS}, None, "cms-global"),
            ("RMSprop", {"beta": BETA1, "eps": EPS}, None, "nmf-lazy"),
            ("Adam", {"betas": (BETA1, BETA2), "eps": EPS}, "dense-lazy", "dense-lazy"),
            ("Adam", {"betas": (BETA1, BETA2), "eps": EPS}, "cs-weighted", "cms-conservative"),
        ]
    },
    **{
        f"Momentum {m}": ("Momentum", {"lr": 0.05, "momentum": BETA1}, m, None)
        for m in [*SIGNED, "q8-lazy", "q8-global", *SHRUNKEN]
    },
    **{
        f"Nesterov {m}": ("Momentum", {"lr": 0.05, "momentum": BETA1, "nesterov": True}, m, None)
        for m in [*SIGNED, "cs-shrunken"]
    },
    **{f"Adagrad {v}": ("Adagrad", {"lr": 0.05, "eps": EPS}, None, v) for v in ANY + COMPACT},
    **{
        f"RMSprop {v}": ("RMSprop", {"lr": 0.05, "beta": BETA1, "eps": EPS}, None, v)
        for v in [*ANY, *COMPACT, "row-global", "q8u-global"]
    },
    **{
        f"Adam {m} {v}": ("Adam", {"lr": 0.05, "betas": (BETA1, BETA2), "eps": EPS}, m, v)
        for m, v in ADAMS
    },
    "RMSprop clip": (
        "RMSprop",
        {"lr": 0.05, "beta": BETA1, "eps": 1e-3, "clip": "feasible"},
        None,
        "cs-global",
    ),
    **{
        f"Adam clip {m} {v}": ("Adam", {"lr": 0.05, **CLIPPED}, m, v)
        for m, v in [
            ("cs-global", "cms-conservative"),
            ("ht-cs-weighted-found", "nmf-global"),
            ("cs-shrunken", "cms-conservative"),
        ]
    },
    **{
        f"Momentum {keep} {m}": ("Momentum", {"lr": 0.05, "momentum": keep}, m, None)
        for m in [*GLOBAL_SIGNED, *SHRUNKEN]
        for keep in (FAST, 0.0)
    },
    **{
        f"RMSprop {keep} {v}": ("RMSprop", {"lr": 0.05, "beta": keep, "eps": EPS}, None, v)
        for v in GLOBAL_ANY
        for keep in (FAST, 0.0)
    },
    **{
        f"RMSprop {keep} {v}": ("RMSprop", {"lr": 0.05, "beta": keep, "eps": EPS}, None, v)
        for keep, v in [(FAST, "q8u-global"), (FAST, "sm3"), (FAST, "mean"), (0.0, "mean")]
    },
}


def build(optimizers, case, shape, table, **extra):
    """The case's optimizer from a source of optimizers: `ours` or `naive.optimizer`."""
    name, settings, m, v = CASES[case]
    kept = {}
    for moment, store, seed in [("m", m, 3), ("v", v, 4)]:
        if store is not None:
            signed, non_negative = stores(shape, seed)
            others = compact_stores(shape, seed) | shrunken_stores(shape, seed)
            kept[moment] = (signed | non_negative | others)[store]
    return optimizers(name, table, **settings, **kept, **extra)


def ours(name, *args, **settings):
    """The library's optimizer of that name."""
    return getattr(sl, name)(*args, **settings)


def initial_table(shape):
    """A table whose entries float32 holds exactly."""
    rng = np.random.default_rng(100 + shape.n)
    return rng.standard_normal((shape.n, shape.dim)).astype(np.float32)


def stream(shape, steps=STEPS, seed=1):
    """List of (grads, rows): sparse, repeated, no and all rows, and dense steps (rows None).

    Gradients keep away from zero and mostly follow one pattern of signs: the steps then divide by
    nothing tiny, and the singular value decomposition has a gap between its values.
    """
    rng = np.random.default_rng(seed)
    pattern = np.outer(rng.choice([-1, 1], shape.n), rng.choice([-1, 1], shape.dim))
    few = max(1, shape.n // 3)
    return [
        _gradient(rng, pattern, rows)
        for _ in range(steps // 10)
        for rows in [
            None,
            rng.choice(shape.n, few, replace=False),
            rng.integers(0, shape.n, 2 * few),
            np.array([], dtype=np.int64),
            rng.permutation(shape.n),
            rng.choice(shape.n, few, replace=False),
            rng.choice(shape.n, 1),
            np.repeat(rng.integers(0, shape.n), 4),
            rng.choice(shape.n, few, replace=False),
            rng.integers(0, shape.n, few),
        ]
    ]


def _gradient(rng, pattern, rows):
    size = rng.uniform(0.25, 2, pattern.shape)
    flip = rng.choice([1, 1, 1, 1, -1], pattern.shape)
    table = size * flip * pattern
    if rows is None:
        return table.astype(np.float32), None
    # Repeated rows share their signs, lest they cancel down to rounding.
    part = table[rows] * rng.uniform(0.5, 1.5, (len(rows), 1))
    return part.astype(np.float32), rows


class Run(NamedTuple):
    """What every step left behind, each (steps, n, dim); None for a moment that is not kept."""

    table: np.ndarray
    m: np.ndarray | None
    v: np.ndarray | None


def run_ours(opt, table, steps):
    """Step the library's optimizer, recording table and estimates after every step."""
    rows = np.arange(len(table))
    kept = {name: getattr(opt, name) for name in ("m", "v")}
    record = {"table": [], "m": [], "v": []}
    for grads, active in steps:
        opt.step(grads.astype(table.dtype), rows=active)
        record["table"].append(table.copy())
        for name, live in kept.items():
            if live is not None:
                record[name].append(live.query(rows))
    return Run(**{name: np.stack(values) if values else None for name, values in record.items()})


def run_naive(opt, steps):
    """The same for an oracle."""
    record = {"table": [], "m": [], "v": []}
    rows = range(len(opt.table))
    for grads, active in steps:
        opt.step(grads.tolist(), rows=active)
        record["table"].append([list(row) for row in opt.table])
        for name in ("m", "v"):
            record[name].append([getattr(opt, name).query(row) for row in rows])
    return Run(**{name: np.array(values) for name, values in record.items()})


@cache
def oracle(case, shape):
    """The oracle's run of a case, computed once for all backends and dtypes."""
    opt = build(naive.optimizer, case, shape, initial_table(shape))
    return run_naive(opt, stream(shape))


# Rounding in single precision takes a number in the middle between two codes to the other one, and
# what follows differs by a few widths of a code; in double precision no number is that near.
CODES_APART = 0.05


def assert_runs_agree(run, expected, dtype, what):
    """Every step's table and estimates agree with the oracle's."""
    for name, values in run._asdict().items():
        if values is not None:
            reference = getattr(expected, name)
            scale = np.abs(reference).max()
            if "q8" in what and dtype == np.float32:
                scale *= CODES_APART / tolerance(dtype, len(values), 1)
            assert_agree(values, reference, dtype, len(values), scale, f"{what}, {name}")
