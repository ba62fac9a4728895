"""Tables far larger than loops in Python can follow: the compiled backend against the reference.

The battery's tables are too small for sorts of more than one digit, for work that is split among
threads and for blocks of columns; here all of these happen.
"""

import numpy as np
import pytest
from agreement import assert_agree
from battery import BETA1

import sketchlab as sl

STEPS, ACTIVE = 4, 3_000

# (n, dim, width): rows and buckets that need more than 16 bits, and a wide, crowded sketch
TALL, WIDE = (2**20 + 5, 2, 100_003), (4_000, 70, 150)


def pairs(width):
    """{name: stores of Adam's m and v}."""
    sketch = {"width": width, "depth": 3}

    def decayed(decay, **more):
        return (
            sl.CountSketch(decay=decay, **sketch),
            sl.CountMinSketch(decay=decay, **sketch, **more),
        )

    return {
        "dense": (sl.Dense("lazy"), sl.Dense("global")),
        "lazy": decayed("lazy"),
        "bucket": decayed("bucket"),
        "global": decayed("global"),
        "conservative": decayed("global", conservative=True),
        "rank 1": (sl.Dense("global"), sl.Rank1()),
        "means": (sl.Dense("global"), sl.BucketMean(**sketch)),
    }


def stream(n, dim):
    """Sparse steps without and with repeated rows, and a dense one where the table is small."""
    rng = np.random.default_rng(0)
    for step in range(STEPS):
        rows = rng.choice(n, ACTIVE, replace=False)
        if step % 2 == 0:
            rows = rng.choice(rows[: ACTIVE // 2], ACTIVE)
        if step == 1 and n * dim < 10**6:
            rows = None
        size = n if rows is None else len(rows)
        yield (rng.uniform(0.25, 2, (size, dim)) * rng.choice([-1, 1], dim)).astype("f4"), rows


def trained(pair, shape, backend, steps):
    """Adam after some steps from a table of zeros."""
    n, dim, width = shape
    m, v = pairs(width)[pair]
    betas = (BETA1, 0.999)  # stable for the 27 rows that a bucket of the wide sketch has
    table = np.zeros((n, dim), np.float32)
    opt = sl.Adam(table, lr=0.05, betas=betas, eps=0.125, m=m, v=v, backend=backend)
    for grads, rows in steps:
        opt.step(grads, rows=rows)
    return opt


@pytest.mark.parametrize("shape", [TALL, WIDE], ids=["tall", "wide"])
@pytest.mark.parametrize("pair", pairs(1))
def test_backends_agree(pair, shape):
    """Table and live stores after the last step."""
    n, dim, _ = shape
    steps = list(stream(n, dim))
    fast, slow = (trained(pair, shape, backend, steps) for backend in ("cpu", "reference"))
    rows = np.unique(np.concatenate([r for _, r in steps if r is not None]))
    for what, left, right in [
        ("table", fast.table[rows], slow.table[rows]),
        ("m", fast.m.query(rows), slow.m.query(rows)),
        ("v", fast.v.query(rows), slow.v.query(rows)),
    ]:
        scale = np.abs(right).max()
        assert_agree(left, right.astype(np.float64), np.dtype("f4"), STEPS, scale, what)
    assert np.count_nonzero(fast.table) == np.count_nonzero(slow.table)


@pytest.mark.parametrize("shape", [TALL, WIDE], ids=["tall", "wide"])
@pytest.mark.parametrize("pair", pairs(1))
def test_order_of_rows_does_not_matter(pair, shape):
    """Reversed, the same distinct rows give the same bits."""
    n, dim, _ = shape
    rng = np.random.default_rng(1)
    steps = []
    for _ in range(2):
        rows = rng.choice(n, ACTIVE, replace=False)
        steps.append((rng.standard_normal((ACTIVE, dim)).astype(np.float32), rows))
    backwards = [(grads[::-1].copy(), rows[::-1].copy()) for grads, rows in steps]
    first, second = (trained(pair, shape, "cpu", each) for each in (steps, backwards))
    assert first.table.tobytes() == second.table.tobytes()
    assert first.m.table.tobytes() == second.m.table.tobytes()
    assert first.v.table.tobytes() == second.v.table.tobytes()


@pytest.mark.parametrize("pair", pairs(1))
def test_changes_that_share_their_place_are_the_same(pair, monkeypatch):
    """A large step writes down the changes of one moment after those of the other were made."""
    n, dim, _ = WIDE
    steps = list(stream(n, dim))
    first = trained(pair, WIDE, "cpu", steps)
    monkeypatch.setattr("sketchlab.kernels.cpu.workspace._LARGE", 1)
    second = trained(pair, WIDE, "cpu", steps)
    assert first.table.tobytes() == second.table.tobytes()
    assert first.m.table.tobytes() == second.m.table.tobytes()
    assert first.v.table.tobytes() == second.v.table.tobytes()


@pytest.mark.parametrize("dim", [15, 16, 17])
def test_rows_at_the_border_of_long_ones(dim):
    """Gathered into tiles or worked on where they lie: the reference's numbers."""
    shape = (5_000, dim, 400)
    rng = np.random.default_rng(2)
    steps = [
        (rng.standard_normal((ACTIVE, dim)).astype(np.float32), rng.integers(0, 5_000, ACTIVE))
        for _ in range(STEPS)
    ]
    fast, slow = (trained("global", shape, backend, steps) for backend in ("cpu", "reference"))
    scale = np.abs(slow.table).max()
    assert_agree(fast.table, slow.table.astype(np.float64), np.dtype("f4"), STEPS, scale, "table")
