"""What is timed: the library's CUDA backend, PyTorch, and CuPy kernels of the paper's algorithm.

Each maker takes settings and gives ``step(i)``, one step on the i-th batch, all of it on the
device and on the default stream. `Missing` says why one cannot be had.
"""

import numpy as np

import sketchlab as sl
from analysis.theory import traffic
from analysis.timing import gpu_events, paper_kernels
from analysis.timing.gpu_events import filled
from sketchlab.kernels.cuda import CUDA, driver

BATCHES, MOST_BATCHES = 4, 64
COMPRESSION, DEPTH = 5, 3
LR = 1e-3


class Missing(Exception):
    """A package that a contender needs is not installed."""


def _sketches(decay, cells=None, **of_v):
    sketch = {"compression": COMPRESSION, "depth": DEPTH, "decay": decay, "cells": cells}
    return {"m": sl.CountSketch(**sketch), "v": sl.CountMinSketch(**sketch, **of_v)}


#: What is set beside others' optimizers, and what only the library has: name, optimizer, stores.
OPTIMIZERS = {
    "Adam CS-MV": ("Adam", _sketches("lazy")),
    "Adam CS-V": ("Adam", {"v": _sketches("lazy")["v"]}),
    "RMSprop CMS": ("RMSprop", {"v": _sketches("lazy")["v"]}),
    "Adam exact": ("Adam", {}),
}
VARIANTS = {
    "Adam CS-MV, global": ("Adam", _sketches("global")),
    "Adam CS-MV, bucket": ("Adam", _sketches("bucket")),
    "Adam CS-MV, conservative": ("Adam", _sketches("global", conservative=True)),
    "Adam CS-M shrunken": (
        "Adam",
        {"m": sl.CountSketch(compression=COMPRESSION, depth=DEPTH, shrink=True)},
    ),
    "Adam head and tail": (
        "Adam",
        {
            "m": sl.HeadTail(tail=_sketches("lazy")["m"]),
            "v": sl.HeadTail(tail=_sketches("lazy")["v"]),
        },
    ),
    "Adam CS-M, mean": (
        "Adam",
        {
            "m": _sketches("lazy")["m"],
            "v": sl.BucketMean(compression=COMPRESSION, depth=DEPTH),
        },
    ),
    "Adam exact, global": ("Adam", {"m": sl.Dense("global"), "v": sl.Dense("global")}),
    "Adam rank one": ("Adam", {"v": sl.Rank1()}),
    "Adam row-wise": ("Adam", {"v": sl.RowWise()}),
    "Adam SM3": ("Adam", {"v": sl.SM3()}),
    "Adam 8 bit": ("Adam", {"m": sl.Quantized(), "v": sl.Quantized(signed=False)}),
}
#: Cells of two bytes; they are kept for float32 alone.
TWO_BYTES = {
    "Adam CS-MV, two bytes": ("Adam", _sketches("lazy", cells="bfloat16")),
    "Adam CS-MV, global, two bytes": ("Adam", _sketches("global", cells="bfloat16")),
    "Adam exact, two bytes": ("Adam", {name: sl.Dense(cells="bfloat16") for name in "mv"}),
}
#: How the rows of a step come.
ROWS = ("ascending", "unsorted", "Zipf")


def stores(optimizer):
    """Name and stores of one of the optimizers that are timed."""
    return (OPTIMIZERS | VARIANTS | TWO_BYTES)[optimizer]


def least_bytes(optimizer, n, dim, k, rows="ascending", seed=0):
    """Fewest bytes that a float32 step must move, `k` rows of `n` (None: a dense step).

    Rows that are drawn more than once are summed first; what is left has one row for each.
    """
    family, kept = stores(optimizer)
    exact = {"m": sl.Dense(), "v": sl.Dense()} if family == "Adam" else {"v": sl.Dense()}
    kept = (exact | kept).values()
    if k is None or rows != "Zipf":
        return traffic.least_bytes(kept, n, dim, k)
    distinct = len(np.unique(draw(n, k, rows, np.random.default_rng(seed))))
    summing = traffic.least_bytes_of_sums(k, distinct, dim)
    return traffic.least_bytes(kept, n, dim, distinct) + summing


def draw(n, k, rows, rng):
    """Row numbers of one batch.

    ``ascending``: distinct ones, as coalesced gradients have them; ``unsorted``: distinct, in any
    order; ``Zipf``: row r with a probability of about 1/(r + 1), so that some come often.
    """
    if rows == "Zipf":
        return np.minimum((float(n) ** rng.random(k)).astype(np.int64) - 1, n - 1)
    distinct = rng.choice(n, k, replace=False, shuffle=rows == "unsorted")
    return np.sort(distinct) if rows == "ascending" else distinct


def batches(settings):
    """Row numbers of several batches: so many that all they touch is larger than the L2 cache."""
    n, dim, k, rows = (settings[name] for name in ("n", "dim", "k", "rows"))
    rng, cache = np.random.default_rng(settings["seed"]), gpu_events.l2_bytes() or 0
    touched = least_bytes(settings["optimizer"], n, dim, k)
    count = min(max(BATCHES, -(-2 * cache // touched)), MOST_BATCHES)
    return [draw(n, k, rows, rng) for _ in range(count)]


def ours(settings, deterministic=False):
    """The library's backend ``"cuda"``."""
    n, dim, k = settings["n"], settings["dim"], settings["k"]
    name, kept = stores(settings["optimizer"])
    table = filled((n, dim))
    engine = CUDA(deterministic=deterministic)
    opt = getattr(sl, name)(table, LR, backend=engine, check_finite=False, **kept)
    grads = filled((n if k is None else k, dim), 1e-2)
    if k is None:
        return lambda i: opt.step(grads)
    rows = [driver.cuda.to_device(batch) for batch in batches(settings)]
    return lambda i: opt.step(grads, rows=rows[i % len(rows)])


def ours_deterministic(settings):
    """The same in the mode that repeats its bits."""
    return ours(settings, deterministic=True)


def pytorch(settings):
    """torch.optim.SparseAdam, or the fused torch.optim.Adam for a dense step."""
    try:
        import torch
    except ImportError:
        raise Missing("PyTorch is not installed") from None
    if not torch.cuda.is_available():
        raise Missing("this PyTorch cannot use the GPU")
    n, dim, k = settings["n"], settings["dim"], settings["k"]
    weight = torch.nn.Parameter(torch.zeros(n, dim, device="cuda"))
    values = torch.full((n if k is None else k, dim), 1e-2, device="cuda")
    if k is None:
        opt = torch.optim.Adam([weight], lr=LR, fused=True)
        weight.grad = values
        return lambda i: opt.step()
    opt = torch.optim.SparseAdam([weight], lr=LR)
    coalesced = settings["rows"] == "ascending"
    sparse = [
        torch.sparse_coo_tensor(
            torch.from_numpy(batch)[None].cuda(), values, (n, dim), is_coalesced=coalesced
        )
        for batch in batches(settings)
    ]

    def step(i):
        weight.grad = sparse[i % len(sparse)]
        opt.step()

    return step


def cupy(settings):
    """CuPy kernels of Algorithm 4, row by row as the paper gives it."""
    try:
        import cupy as cp
    except ImportError:
        raise Missing("CuPy is not installed") from None
    n, dim, k = settings["n"], settings["dim"], settings["k"]
    grads = cp.full((k, dim), 1e-2, cp.float32)
    rows = [cp.asarray(batch) for batch in batches(settings)]
    step = paper_kernels.adam(cp, n, dim, COMPRESSION, DEPTH, LR)
    return lambda i: step(rows[i % len(rows)], grads)


CONTENDERS = {
    "sketchlab": ours,
    "sketchlab, deterministic": ours_deterministic,
    "PyTorch": pytorch,
    "CuPy": cupy,
}


def competes(contender, optimizer, k):
    """Whether a contender has this optimizer: PyTorch no sketches, CuPy the paper's alone."""
    if optimizer not in OPTIMIZERS:
        return contender == "sketchlab"
    if contender == "PyTorch":
        return optimizer == "Adam exact"
    if contender == "CuPy":
        return optimizer == "Adam CS-MV" and k is not None
    return contender == "sketchlab" or optimizer != "Adam exact"
