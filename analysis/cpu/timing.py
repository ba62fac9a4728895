"""Times sparse steps of several optimizers side by side, in a process of its own.

``python -m analysis.cpu.timing SETTINGS`` prints one line of JSON. A fresh process decides on the
number of threads, which a running one cannot change. All contenders take turns, each step after a
copy larger than the caches: what is timed is memory, not what the step before left in the cache,
and a disturbance of the machine strikes all alike.
"""

import json
import sys
import time

import numba
import numpy as np

import sketchlab as sl

COPIED = 2**28  # bytes of one array of the copy, twice that is moved


def measure(settings):
    """Milliseconds of every contender's steps, and of the copy.

    Returns
    -------
    dict of str to list of float
        ``"copy"``, and each of ``settings["contenders"]`` that can be had here.
    """
    rng = np.random.default_rng(settings["seed"])
    n, dim, k = (settings[name] for name in ("n", "dim", "k"))
    grads = rng.standard_normal((k, dim)).astype(np.float32)
    steps = {"copy": _copy()}
    for name in settings["contenders"]:
        step = CONTENDERS[name](n, dim)
        if step is not None:
            steps[name] = step
    times = {name: [] for name in steps}
    for turn in range(settings["repeats"] + 3):
        rows = np.unique(rng.integers(0, n, k + k // 8))
        rows = np.sort(rng.permutation(rows)[:k])
        for name, step in steps.items():
            steps["copy"](rows, grads)
            start = time.perf_counter()
            step(rows, grads[: len(rows)])
            if turn >= 3:
                times[name].append(1e3 * (time.perf_counter() - start))
    return times


def _copy():
    """A copy of `COPIED` bytes by all threads."""
    source, target = np.ones(COPIED // 8), np.zeros(COPIED // 8)
    return lambda rows, grads: _copy_in_parallel(source, target)


@numba.njit(parallel=True)
def _copy_in_parallel(source, target):
    for i in numba.prange(len(source)):
        target[i] = source[i]


def _ours(make):
    """A contender of the library: pages of table and state are touched before anything is timed."""

    def contender(n, dim):
        opt = make(np.full((n, dim), 0.5, np.float32))
        for store in filter(None, (opt.m, opt.v)):
            store.table.fill(0)
        return lambda rows, grads: opt.step(grads, rows=rows)

    return contender


def _sparse_adam(n, dim):
    """torch.optim.SparseAdam on coalesced gradients, or None where torch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    parameter = torch.nn.Parameter(torch.full((n, dim), 0.5))
    opt = torch.optim.SparseAdam([parameter], lr=1e-3)

    def step(rows, grads):
        parameter.grad = torch.sparse_coo_tensor(
            torch.from_numpy(rows)[None], torch.from_numpy(grads), (n, dim), is_coalesced=True
        )
        opt.step()

    return step


def _sketched(decay, conservative=False):
    def make(table):
        m = sl.CountSketch(compression=5, decay=decay, seed=0)
        v = sl.CountMinSketch(compression=5, decay=decay, conservative=conservative, seed=1)
        return sl.Adam(table, m=m, v=v)

    return make


CONTENDERS = {
    "torch.optim.SparseAdam": _sparse_adam,
    "Adam exact": _ours(lambda table: sl.Adam(table)),
    "Adam CS-MV lazy": _ours(_sketched("lazy")),
    "Adam CS-MV bucket": _ours(_sketched("bucket")),
    "Adam CS-MV global": _ours(_sketched("global")),
    "Adam CS-MV conservative": _ours(_sketched("global", conservative=True)),
    "RMSprop CMS global": _ours(
        lambda table: sl.RMSprop(table, 1e-3, v=sl.CountMinSketch(decay="global"))
    ),
    "Momentum CS lazy": _ours(lambda table: sl.Momentum(table, 1e-3, m=sl.CountSketch())),
}


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
