"""Steps of many blocks beside the CPU's: every decay, rows as they come, beyond 2**31 numbers.

On the emulated GPU grids have at most 64 blocks, whose threads run in random orders. Double
precision shows slips of a single row among thousands; the same bits twice are asked of float32.
"""

import numpy as np
import pytest
from agreement import assert_agree
from places import EMULATED, MARKS, free_memory, on_device

import sketchlab as sl
from analysis.lab import machine
from sketchlab.kernels.cuda import CUDA, driver

pytestmark = MARKS

ROWS, DIM, ACTIVE = (30_000, 5, 9_000) if EMULATED else (1_000_000, 33, 200_000)
BETAS, EPS = (0.97, 0.999), 0.125  # as the battery's: no store amplifies rounding
SEEDS = {"m": {"seed": 3}, "v": {"seed": 4}}


def sketches(decay, compression=5, **of_v):
    settings = {"decay": decay, "compression": compression}
    return {
        "m": sl.CountSketch(**settings, **SEEDS["m"]),
        "v": sl.CountMinSketch(**settings, **SEEDS["v"], **of_v),
    }


# Adam's stores; a table of many rows and a small sketch takes a snapshot of it for `lazy` answers.
STORES = {
    "lazy": sketches("lazy"),
    "lazy, snapshot": sketches("lazy", compression=100),
    "global": sketches("global"),
    "bucket": sketches("bucket"),
    "conservative": sketches("global", conservative=True),
    "exact": {},
    "exact, global": {"m": sl.Dense(decay="global"), "v": sl.Dense(decay="global")},
    "rank one": {"v": sl.Rank1()},
    "row-wise": {"v": sl.RowWise()},
    "SM3": {"v": sl.SM3()},
    "8 bit": {"m": sl.Quantized(), "v": sl.Quantized(signed=False)},
    "mean": {"m": sl.CountSketch(**SEEDS["m"]), "v": sl.BucketMean(**SEEDS["v"])},
    "shrunken": {"m": sl.CountSketch(shrink=True, **SEEDS["m"])},
    "head and tail": {"v": sl.HeadTail(tail=sl.CountMinSketch(**SEEDS["v"]))},
}
DETERMINISTIC = ["lazy", "bucket", "conservative", "shrunken"]


def batches(rng):
    """Row numbers as a step may be given them; None: a dense step."""
    permuted = rng.permutation(ROWS)[:ACTIVE]
    zipf = np.minimum((rng.pareto(0.9, ACTIVE) * 50).astype(np.int64), ROWS - 1)
    repeated = rng.integers(0, ROWS, ACTIVE)
    return [repeated, np.sort(permuted), permuted, zipf, None]


def largest_group(all_rows):
    """The most often that one row comes in a step."""
    return max(int(np.bincount(rows).max()) for rows in all_rows if rows is not None)


def steps(dtype):
    """Gradients, which follow one pattern of signs so that equal rows do not cancel, and rows."""
    rng = np.random.default_rng(0)
    signs = rng.choice([-1, 1], (ROWS, DIM))
    for rows in batches(rng):
        where = slice(None) if rows is None else rows
        size = rng.uniform(0.25, 2, (ROWS if rows is None else len(rows), DIM))
        yield (size * signs[where]).astype(dtype), rows


def table(dtype):
    return np.random.default_rng(1).standard_normal((ROWS, DIM)).astype(dtype)


def on_gpu(stores, dtype, deterministic=False):
    """The table after all steps."""
    there = on_device(table(dtype))
    engine = CUDA(deterministic=deterministic)
    opt = sl.Adam(there, 0.05, betas=BETAS, eps=EPS, backend=engine, **stores)
    for grads, rows in steps(dtype):
        opt.step(on_device(grads), rows=None if rows is None else on_device(rows))
    return there.copy_to_host()


@pytest.mark.parametrize("name", STORES)
def test_many_blocks_agree_with_the_cpu(name):
    dtype, stores = np.float64, STORES[name]
    expected = table(dtype)
    opt = sl.Adam(expected, 0.05, betas=BETAS, eps=EPS, backend="cpu", **stores)
    all_rows = []
    for grads, rows in steps(dtype):
        opt.step(grads, rows=rows)
        all_rows.append(rows)
    scale = np.abs(expected).max()
    # a sum of q gradients rounds q times
    roundings = largest_group(all_rows)
    assert_agree(on_gpu(stores, dtype), expected, dtype, roundings, scale, name)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_the_same_bits_twice(name):
    first, again = (on_gpu(STORES[name], np.float32, deterministic=True) for _ in range(2))
    assert first.tobytes() == again.tobytes()


@pytest.mark.skipif(not EMULATED, reason="on a GPU the order of atomics may happen to repeat")
def test_other_bits_without_the_mode():
    """So that the same bits twice mean something: threads do come in other orders."""
    assert on_gpu(STORES["lazy"], np.float32).tobytes() != (
        on_gpu(STORES["lazy"], np.float32).tobytes()
    )


# -- more numbers than 31 bits count -----------------------------------------------------------

WIDE = 64
MANY = 2**31 // WIDE + 1_000  # rows
BYTES = MANY * WIDE * 4


def need(device, host):
    """Skip where memory is short."""
    if free_memory() < device:
        pytest.skip(f"needs {device / 1e9:.0f} GB of the device, {free_memory() / 1e9:.0f} free")
    available = machine.available()
    if available is not None and available < host:
        pytest.skip(f"needs {host / 1e9:.0f} GB of the host, {available / 1e9:.0f} available")


def both_ends(rng):
    """Rows before and behind the number 2**31, the last one among them, in any order."""
    rows = np.concatenate([np.arange(20), np.arange(MANY - 1_020, MANY)])
    return rng.permutation(np.append(rows, [MANY - 1, 0, MANY - 1]))


@pytest.mark.parametrize("name", ["lazy", "bucket", "conservative"])
def test_sparse_steps_of_a_table_beyond_31_bits(name):
    """Only touched rows are set and compared: what is not touched takes no memory on the host."""
    need(BYTES * 1.1, BYTES * 1.1)
    rng = np.random.default_rng(0)
    sketch = {"width": 300, "decay": "global" if name == "conservative" else name}
    conservative = {"conservative": True} if name == "conservative" else {}
    stores = {
        "m": sl.CountSketch(**sketch, **SEEDS["m"]),
        "v": sl.CountMinSketch(**sketch, **conservative, **SEEDS["v"]),
    }
    there, here = driver.cuda.device_array((MANY, WIDE), np.float32), np.zeros((MANY, WIDE), "f4")
    ends = [slice(0, 20), slice(MANY - 1_020, MANY)]
    for part in ends:
        there[part].copy_to_device(here[part])
    # some 3 rows share a bucket: of 1,040 in 300; betas as close to 1 as that asks for
    settings = {"betas": (0.99, 0.999), "eps": EPS, **stores}
    gpu = sl.Adam(there, 0.05, backend="cuda", **settings)
    cpu = sl.Adam(here, 0.05, backend="cpu", **settings)
    for _ in range(3):
        rows = both_ends(rng)
        grads = rng.uniform(0.25, 2, (len(rows), WIDE)).astype(np.float32)
        gpu.step(on_device(grads), rows=on_device(rows))
        cpu.step(grads, rows=rows)
    for part in ends:
        assert np.abs(here[part]).min() > 0
        assert_agree(there[part].copy_to_host(), here[part], np.float32, 3, 1, f"rows {part}")


@pytest.mark.skipif(EMULATED, reason="a pass over 2**31 numbers takes the emulator minutes")
@pytest.mark.parametrize("name", ["SGD", "exact"])
def test_dense_steps_of_a_table_beyond_31_bits(name):
    need(BYTES * (2.1 if name == "SGD" else 4.1), BYTES * 0.1)
    there = gpu_array(0.0)
    grads = gpu_array(0.5)
    if name == "SGD":
        opt, moved = sl.SGD(there, 1.0, backend="cuda"), -0.5
    else:
        opt, moved = sl.Adam(there, 0.125, eps=0, backend="cuda"), -0.125
    opt.step(grads)
    flat = there.reshape(MANY * WIDE)
    for start in (0, 2**30, 2**31 - 500, MANY * WIDE - 1_000):
        part = flat[start : start + 1_000].copy_to_host()
        np.testing.assert_allclose(part, moved, rtol=1e-6)


def gpu_array(value):
    from analysis.timing.gpu_events import filled

    return filled((MANY, WIDE), value)
