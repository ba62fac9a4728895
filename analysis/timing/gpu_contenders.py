"""What is timed: the library's CUDA backend, PyTorch, and CuPy kernels of the paper's algorithm.

Each maker takes settings and gives ``step(i)``, one step on the i-th batch, all of it on the
device and on the default stream. `Missing` says why one cannot be had.
"""

import numpy as np

import sketchlab as sl
from analysis.theory import traffic
from analysis.timing import paper_kernels
from analysis.timing.gpu_events import filled
from sketchlab.kernels.cuda import CUDA, driver

BATCHES = 4
COMPRESSION, DEPTH = 5, 3
LR = 1e-3


class Missing(Exception):
    """A package that a contender needs is not installed."""


def stores(optimizer):
    """Name and stores of one of the optimizers that are timed."""
    sketch = {"compression": COMPRESSION, "depth": DEPTH}
    return {
        "Adam CS-MV": ("Adam", {"m": sl.CountSketch(**sketch), "v": sl.CountMinSketch(**sketch)}),
        "Adam CS-V": ("Adam", {"v": sl.CountMinSketch(**sketch)}),
        "RMSprop CMS": ("RMSprop", {"v": sl.CountMinSketch(**sketch)}),
        "Adam exact": ("Adam", {}),
    }[optimizer]


def least_bytes(optimizer, n, dim, k):
    """Fewest bytes that a float32 step must move, `k` rows of `n` (None: a dense step)."""
    family, kept = stores(optimizer)
    exact = {"m": sl.Dense(), "v": sl.Dense()} if family == "Adam" else {"v": sl.Dense()}
    return traffic.least_bytes((exact | kept).values(), n, dim, k)


def batches(n, k, seed):
    """Row numbers of several batches, distinct and ascending, as coalesced gradients have them."""
    rng = np.random.default_rng(seed)
    return [np.sort(rng.choice(n, k, replace=False, shuffle=False)) for _ in range(BATCHES)]


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
    rows = [driver.cuda.to_device(batch) for batch in batches(n, k, settings["seed"])]
    return lambda i: opt.step(grads, rows=rows[i % BATCHES])


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
    sparse = [
        torch.sparse_coo_tensor(
            torch.from_numpy(batch)[None].cuda(), values, (n, dim), is_coalesced=True
        )
        for batch in batches(n, k, settings["seed"])
    ]

    def step(i):
        weight.grad = sparse[i % BATCHES]
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
    rows = [cp.asarray(batch) for batch in batches(n, k, settings["seed"])]
    step = paper_kernels.adam(cp, n, dim, COMPRESSION, DEPTH, LR)
    return lambda i: step(rows[i % BATCHES], grads)


CONTENDERS = {
    "sketchlab": ours,
    "sketchlab, deterministic": ours_deterministic,
    "PyTorch": pytorch,
    "CuPy": cupy,
}


def competes(contender, optimizer, k):
    """Whether a contender has this optimizer: PyTorch no sketches, CuPy the paper's alone."""
    if contender == "PyTorch":
        return optimizer == "Adam exact"
    if contender == "CuPy":
        return optimizer == "Adam CS-MV" and k is not None
    return contender == "sketchlab" or optimizer != "Adam exact"
