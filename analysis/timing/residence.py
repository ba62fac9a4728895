"""Peak memory of training with large tables, in a process of its own.

``python -m analysis.timing.residence SETTINGS`` prints one line of JSON.

A fresh array of zeros takes no memory until it is written to, page by page. How much of it a few
steps on rows drawn by Zipf's law write to depends on the size of a page: all, where the system
gives out pages of 2 MB, little where they have 4 KB. Therefore every variant takes two parts: such
steps, and then steps that go once through all rows, as an epoch over real text does, since every
word of a vocabulary was seen in that text. The peak is read after each part.

Before that the same optimizers take steps on small tables: compiling a kernel takes tens of MB, and
only the first process that needs it compiles. What the process holds then is its `base`.
"""

import json
import sys

import numpy as np

from analysis.lab import machine
from analysis.problems.log_bilinear import LogUniform
from analysis.training.optimizers import optimizer


def measure(settings):
    """Bytes of parameters and of state, of the process before them, and of its peaks.

    Parameters
    ----------
    settings : dict
        ``tables`` (a list of {"shape": [n, d], "dense": bool}), ``active`` rows of a sparse step,
        ``steps`` by Zipf's law, ``seed``, and what `optimizer` asks for.
    """
    small = [one | {"shape": [256, one["shape"][1]]} for one in settings["tables"]]
    _train(settings | {"tables": small, "active": 64, "steps": 2})
    base = machine.resident()
    return {"base_bytes": base, **_train(settings), "peak_bytes": machine.peak()}


def _train(settings):
    tables = [np.full(one["shape"], 0.01, np.float32) for one in settings["tables"]]
    seeds = iter(range(settings["seed"], settings["seed"] + 100))
    optimizers = [optimizer(settings, table, seeds) for table in tables]
    rng = np.random.default_rng(settings["seed"])
    for one, moved in zip(settings["tables"], optimizers):
        _zipf_steps(settings, one["dense"], moved, rng)
    after_zipf = machine.peak()
    for one, moved in zip(settings["tables"], optimizers):
        if not one["dense"]:
            _every_row_once(settings["active"], moved, rng)
    return {
        "parameter_bytes": sum(table.nbytes for table in tables),
        "state_bytes": sum(moved.nbytes for moved in optimizers),
        "peak_after_zipf_bytes": after_zipf,
    }


def _zipf_steps(settings, dense, moved, rng):
    """Sparse steps on the distinct rows among a step's draws, or dense ones."""
    n, dim = moved.table.shape
    words = LogUniform(n)
    for _ in range(settings["steps"]):
        if dense:
            moved.step(rng.standard_normal((n, dim), np.float32))
        else:
            rows = np.unique(words.draw(rng, settings["active"]))
            moved.step(rng.standard_normal((len(rows), dim), np.float32), rows=rows)


def _every_row_once(active, moved, rng):
    """Sparse steps on consecutive blocks of rows, to the last one."""
    n, dim = moved.table.shape
    for begin in range(0, n, active):
        rows = np.arange(begin, min(begin + active, n))
        moved.step(rng.standard_normal((len(rows), dim), np.float32), rows=rows)


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
