"""Threads: the same bits for any number of them, and two Python threads at once.

The number of threads and the threading layer are fixed when Numba is first used, so each setting
runs in a process of its own: this file is also the script that those processes run.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import numba
import numpy as np
import pytest

import sketchlab as sl
from sketchlab import hashing
from sketchlab.kernels.cpu.advance import owners_of_cells, pick

# Large enough for kernels to share the work among threads, with a dimension that no block divides.
N, DIM, ACTIVE, STEPS = 3_000, 70, 1_500, 4


def optimizers(table):
    """{name: optimizer} on copies of a table, with every kind of store."""
    sketch = {"width": 200, "depth": 3}
    adam = {
        "lazy": (sl.CountSketch(**sketch), sl.CountMinSketch(**sketch)),
        "bucket": (
            sl.CountSketch(decay="bucket", **sketch),
            sl.CountMinSketch(decay="bucket", **sketch),
        ),
        "global": (
            sl.CountSketch(decay="global", **sketch),
            sl.CountMinSketch(decay="global", **sketch),
        ),
        "conservative": (
            sl.CountSketch(width=100, depth=4),
            sl.CountMinSketch(decay="global", conservative=True, **sketch),
        ),
        "exact": (sl.Dense("lazy"), sl.Dense("global")),
        "shrunken": (
            sl.CountSketch(shrink=True, **sketch),
            sl.CountMinSketch(conservative=True, **sketch),
        ),
        "shrunken tail": (
            sl.HeadTail(tail=sl.CountSketch(width=100, depth=4, shrink=True)),
            sl.Dense("lazy"),
        ),
        "rank 1, lazy": (sl.Dense("lazy"), sl.Rank1(decay="lazy")),
        "rank 1, global": (sl.Dense("lazy"), sl.Rank1(decay="global")),
        "row weights, SM3": (sl.Dense(row_weights=True), sl.SM3()),
        "quantised, row-wise": (sl.Quantized(), sl.RowWise()),
        "means": (sl.Quantized(decay="global"), sl.BucketMean(**sketch)),
        "head found": (
            sl.HeadTail(rows="frequent", every=2, tail=sl.CountSketch(**sketch)),
            sl.Rank1(),
        ),
    }
    betas = (0.99, 0.999)
    made = {
        name: sl.Adam(table.copy(), lr=0.01, betas=betas, m=m, v=v, backend="cpu")
        for name, (m, v) in adam.items()
    }
    made["SGD"] = sl.SGD(table.copy(), lr=0.01, backend="cpu")
    made["Momentum"] = sl.Momentum(table.copy(), lr=0.01, m=adam["lazy"][0], backend="cpu")
    made["Adagrad"] = sl.Adagrad(table.copy(), lr=0.01, v=adam["lazy"][1], backend="cpu")
    return made


def starting_table():
    """The table that all the optimizers start from."""
    return np.random.default_rng(0).standard_normal((N, DIM)).astype(np.float32)


def run(opt, seed):
    """Sparse steps with repeated rows, and one dense step."""
    rng = np.random.default_rng(seed)
    for step in range(STEPS):
        rows = None if step == 1 else rng.integers(0, N, ACTIVE)
        size = N if rows is None else ACTIVE
        opt.step(rng.standard_normal((size, DIM)).astype(np.float32), rows=rows)


def digest(opt):
    """Hash of the table's and of the live stores' bytes."""
    hashed = hashlib.sha256(opt.table.tobytes())
    for live in (opt.m, opt.v):
        if live is not None:
            hashed.update(live.table.tobytes())
    return hashed.hexdigest()


def digests_one_after_another():
    """{name: digest}, each optimizer by itself."""
    made = optimizers(starting_table())
    for opt in made.values():
        run(opt, seed=1)
    return {name: digest(opt) for name, opt in made.items()}


def digests_at_once():
    """The same, two Python threads stepping two optimizers at any time."""
    made = optimizers(starting_table())
    names = sorted(made)
    for pair in zip(names[::2], names[1::2], strict=True):
        together = threading.Barrier(2)

        def work(opt, together=together):
            together.wait()
            run(opt, seed=1)

        threads = [threading.Thread(target=work, args=(made[name],)) for name in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return {name: digest(opt) for name, opt in made.items()}


def unguarded_kernels_at_once():
    """Two threads in a bare parallel kernel, to show what the layer does with it."""

    @numba.njit(parallel=True)
    def kernel(x):
        for i in numba.prange(len(x)):
            x[i] += 1

    def work():
        for _ in range(2_000):
            kernel(x)

    x = np.zeros(100_000)
    kernel(x)
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_a_process(function, **environment):
    """Run one of the functions above in a new process: (exit status, what it printed)."""
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, __file__, function],
        env=os.environ | {"PYTHONPATH": root, "PYTHONWARNINGS": "ignore"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout or done.stderr


def answer(function, **environment):
    """Its answer, when the process ended well."""
    status, printed = in_a_process(function, **environment)
    assert status == 0, printed
    return json.loads(printed)


@pytest.fixture(scope="module")
def one_thread():
    """The digests that one thread gives."""
    return answer("digests_one_after_another", NUMBA_NUM_THREADS="1")


@pytest.mark.parametrize("threads", ["2", "4"])
def test_same_bits_for_any_number_of_threads(one_thread, threads):
    """All the stores, sparse and dense steps."""
    assert answer("digests_one_after_another", NUMBA_NUM_THREADS=threads) == one_thread


def available_layers():
    """Threading layers of this installation: workqueue always, the others where they load."""
    modules = {"workqueue": "workqueue", "omp": "omppool", "tbb": "tbbpool"}
    for layer, module in modules.items():
        with suppress(ImportError):
            import_module(f"numba.np.ufunc.{module}")
            yield layer


@pytest.mark.parametrize("layer", list(available_layers()))
def test_two_python_threads_at_once(one_thread, layer):
    """The right results, to the bit, and no abort, whatever the threading layer."""
    settings = {"NUMBA_NUM_THREADS": "2", "NUMBA_THREADING_LAYER": layer}
    assert answer("digests_at_once", **settings) == one_thread


def test_workqueue_aborts_without_a_guard():
    """What the test above would see if steps did not wait for each other."""
    settings = {"NUMBA_NUM_THREADS": "2", "NUMBA_THREADING_LAYER": "workqueue"}
    status, printed = in_a_process("unguarded_kernels_at_once", **settings)
    assert status != 0 and "concurrent" in printed.lower(), printed


def test_one_bit_changes_the_digest():
    """The comparison of digests is as strict as it claims to be."""
    opt = optimizers(starting_table())["exact"]
    before = digest(opt)
    opt.table[0, 0] = np.nextafter(opt.table[0, 0], np.float32(9))
    assert digest(opt) != before


# ---------------------------------------------------------------- how the work is divided

pick_compiled = numba.njit(pick)


def loads(threads, owners):
    """How many changes of cells each thread makes: Adam, two sketches, at the base shape."""
    n, k, width, depth = 200_000, 100_000, 13_333, 3
    rows = np.random.default_rng(0).choice(n, k, replace=False)
    picked, load, unit = np.empty(k + 1, np.int64), np.zeros(threads), 0
    for seed in range(2):
        slots = hashing.cells(rows, hashing.hash_constants(seed, depth), width)
        for j in range(depth):
            for owner in range(owners):
                count = pick_compiled(slots[j], 0, j, owner, owners, 0, k, picked)
                load[unit % threads] += count
                unit += 1
    assert load.sum() == 2 * depth * k
    return load


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8, 24, 64, 128])
def test_changes_are_divided_evenly(threads):
    load = loads(threads, owners_of_cells(6, threads))
    assert load.max() < 1.1 * load.mean()


def test_too_few_owners_are_seen():
    load = loads(4, 1)
    assert load.max() > 1.1 * load.mean()


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
