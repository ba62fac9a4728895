"""Times steps of several optimizers side by side, in a process of its own.

``python -m analysis.timing.cpu_steps SETTINGS`` prints one line of JSON. A fresh process decides on
the number of threads, which a running one cannot change. All contenders on tables of a shape move
the same table: they differ in their state alone.
"""

import json
import sys

import numpy as np

from analysis.problems.sampled_softmax import LogUniform
from analysis.timing.cpu_contenders import CONTENDERS
from analysis.timing.sums import SUMMERS, TORCH
from analysis.timing.turns import Entry, copier, copy_gb_per_s, digest, rounded, take

FEW = 64  # rows of a rehearsal's table


def measure(settings):
    """Time what the settings name.

    Parameters
    ----------
    settings : dict
        ``kind`` ("steps", or "sums" of the gradients of equal rows), ``contenders``, ``shapes``
        (a list of [n, dim, k], k None for a dense step), ``repeats``, ``block``, ``copied`` (bytes
        of the copy), ``threads``, ``seed``, and ``torch``, its version or None. All contenders
        take turns on all shapes.

    Returns
    -------
    dict
        ``copy_gb_per_s``, ``entries`` (see `digest`), and of sums ``distinct``: the part of the
        rows that is left.
    """
    copy = copier(settings["copied"])
    copy()  # brings up Numba's threads
    if settings["torch"] is not None:
        _start_torch(settings["threads"])
    kind = _sums if settings["kind"] == "sums" else _steps
    entries, yardsticks, more = kind(settings)
    times, copies = take(entries, settings["repeats"], copy, settings["block"])
    kept = digest(entries, times, copies, yardsticks)
    bandwidth = copy_gb_per_s(copies, settings["copied"])
    return {"copy_gb_per_s": bandwidth, "entries": kept, **more}


def _start_torch(threads):
    """Bring up PyTorch with as many threads as Numba, and the same ones.

    Numba's threads must have been started before: PyTorch then uses the OpenMP library that they
    run on. Two such libraries in one process compete for the cores. The number of threads is set
    explicitly, since PyTorch reads more environment variables than Numba does.
    """
    import torch

    torch.set_num_threads(threads)
    torch.sparse.check_sparse_tensor_invariants.disable()  # the default, without a warning


def _steps(settings):
    """Entries of contenders on tables; new rows are drawn at every turn."""
    entries, tables, made = [], {}, {}
    for n, dim, k in settings["shapes"]:
        if (n, dim) not in tables:
            tables[n, dim] = np.full((n, dim), 0.5, np.float32)
        batch = _Batch(settings["seed"], n, dim, k)
        for name in settings["contenders"]:
            make = CONTENDERS[name].make
            if (name, n, dim) not in made:
                made[name, n, dim] = make(tables[n, dim])
            step = batch.bind(made[name, n, dim])
            entries.append(Entry(name, (n, dim, k), step, _rehearsal(make, dim, k)))
    return entries, _yardsticks, {}


def _rehearsal(make, dim, k):
    """A step of the same contender on a table of `FEW` rows, sparse or dense."""
    rows = None if k is None else np.arange(0, FEW, 2)
    grads = np.ones((FEW if k is None else FEW // 2, dim), np.float32)
    prepare = make(np.full((FEW, dim), 0.5, np.float32))
    return lambda: prepare(rows, grads)()


def _yardsticks(entry):
    """The exact and the plain counterpart, and PyTorch's for such a step."""
    named = CONTENDERS[entry.name].yardsticks or {}
    kind = "dense torch" if entry.shape[2] is None else "sparse torch"
    return {"torch" if what == kind else what: name for what, name in named.items()}


class _Batch:
    """Gradients of a shape, the same at every turn, and distinct ascending rows, new at each."""

    def __init__(self, seed, n, dim, k):
        self._rng = np.random.default_rng([seed, n, dim, k or 0])
        self._n, self._k = n, k
        self._grads = self._rng.standard_normal((n if k is None else k, dim), np.float32)
        self._turn, self._rows = None, None

    def bind(self, prepare):
        """``prepare(turn)`` of an entry, from ``prepare(rows, grads)`` of a contender."""
        return lambda turn: prepare(self._rows_of(turn), self._grads)

    def _rows_of(self, turn):
        if self._k is not None and self._turn != turn:
            drawn = self._rng.choice(self._n, self._k, replace=False, shuffle=False)
            self._turn, self._rows = turn, np.sort(drawn)
        return self._rows


def _sums(settings):
    """Entries that sum the gradients of equal rows, which are drawn by Zipf's law, in no order."""
    rng = np.random.default_rng(settings["seed"])
    entries, drawn = [], {}
    for n, dim, k in settings["shapes"]:
        if (n, k) not in drawn:
            drawn[n, k] = LogUniform(n).draw(rng, k)
        inputs = drawn[n, k], rng.standard_normal((k, dim), np.float32)
        few = np.arange(FEW) // 2, np.ones((FEW, dim), np.float32)
        for name in settings["contenders"]:
            run, rehearse = SUMMERS[name](n)(*inputs), SUMMERS[name](FEW)(*few)
            entries.append(Entry(name, (n, dim, k), _always(run), rehearse))
    shares = [len(np.unique(rows)) / len(rows) for rows in drawn.values()]
    return entries, lambda entry: {"torch": TORCH}, {"distinct": [rounded(s) for s in shares]}


def _always(run):
    return lambda turn: run


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
