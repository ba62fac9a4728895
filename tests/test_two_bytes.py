"""Cells of two bytes: against plain loops, without bias, and the same bits whatever the order."""

import copy
import math

import numpy as np
import pytest
from naive_two_bytes import Cells, random_table, widen
from scipy import stats

import sketchlab as sl
from sketchlab.stores import two_bytes
from sketchlab.stores.description import Description

pytestmark = pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning")

HALF = "bfloat16"
BETAS = (0.9, 0.97)

# kind: the store of a second moment, and of a first one where it can hold it
KINDS = {
    "dense-lazy": sl.Dense(cells=HALF),
    "dense-global": sl.Dense(decay="global", cells=HALF),
    "lazy": sl.CountMinSketch(width=4, cells=HALF),
    "global": sl.CountMinSketch(width=4, decay="global", cells=HALF),
    "bucket": sl.CountMinSketch(width=4, depth=2, decay="bucket", cells=HALF),
    "conservative": sl.CountMinSketch(width=4, depth=1, conservative=True, cells=HALF),
}
SIGNED = {
    "lazy": sl.CountSketch(width=4, cells=HALF, seed=2**64 - 1),
    "global": sl.CountSketch(width=5, depth=4, decay="global", cells=HALF),
    "bucket": sl.CountSketch(width=4, depth=5, decay="bucket", cells=HALF),
}
BACKENDS = ["reference", "cpu"]


def batches(n, dim, steps=12):
    """Sparse steps of distinct rows, and a dense one."""
    generator = np.random.default_rng([n, dim])
    for step in range(steps):
        rows = None if step == 5 else generator.permutation(n)[: max(1, n // 2)]
        grads = generator.normal(size=(n if rows is None else len(rows), dim))
        yield grads.astype(np.float32), rows


def run(description, n, dim, backend, squared):
    """The optimizer after all batches."""
    table = np.zeros((n, dim), np.float32)
    if squared:
        optimizer = sl.RMSprop(table, 0.1, v=description, beta=BETAS[1], backend=backend)
    else:
        optimizer = sl.Momentum(table, 0.1, m=description, momentum=BETAS[0], backend=backend)
    for grads, rows in batches(n, dim):
        optimizer.step(grads, rows=rows)
    return optimizer


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(1, 1), (13, 3), (21, 17), (6, 33)])
@pytest.mark.parametrize("kind", KINDS)
def test_bits_are_those_of_plain_loops(kind, shape, backend):
    check_bits(kind, KINDS[kind], shape, backend, squared=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", SIGNED)
def test_bits_of_signed_values_are_those_of_plain_loops(kind, backend):
    check_bits(kind, SIGNED[kind], (13, 17), backend, squared=False)


def check_bits(kind, description, shape, backend, squared):
    optimizer = run(description, *shape, backend, squared)
    store = optimizer.v if squared else optimizer.m
    depth, width = store.cells.shape[:2]
    seed = getattr(description, "seed", 0)
    oracle = Cells(kind, *shape, depth, width, seed, not squared)
    beta = BETAS[squared]
    recursion = (beta, 1 - beta) if squared else (beta, 1.0)
    for grads, rows in batches(*shape):
        rows = range(shape[0]) if rows is None else rows.tolist()
        batch = {row: [float(g) for g in grad] for row, grad in zip(rows, grads)}
        oracle.step(batch, *recursion, squared)
    found, wanted = store.flat_cells, np.array(oracle.table, np.uint16)
    if kind == "dense-lazy" and backend == "cpu":
        # the exact variable's own order of sums there: a float32 may be rounded the other way
        found, wanted = two_bytes.widened(found), two_bytes.widened(wanted)
        assert (found != wanted).mean() <= 0.01
        np.testing.assert_allclose(found, wanted, rtol=2**-6)
    else:
        np.testing.assert_array_equal(found, wanted)


def test_the_table_of_random_numbers_is_the_oracles():
    table = random_table()
    found = two_bytes.random_numbers(5000)
    assert found[:4096].tolist() == table
    assert found[4096:].tolist() == [table[place % 4096] for place in range(5000)]
    # every column meets all of the evenly spread numbers
    assert sorted(table) == list(range(8, 2**16, 16))


def test_rounding_keeps_the_expectation():
    """Over all random numbers, of numbers of every size and of both signs."""
    generator = np.random.default_rng(0)
    randoms = np.arange(8, 2**16, 16, dtype=np.uint16)
    for exponent in (-126, -40, -1, 0, 3, 100):
        for number in np.ldexp(generator.uniform(1, 2, 8), exponent).astype(np.float32):
            for signed in (number, -number):
                values = two_bytes.widened(two_bytes.rounded(np.full(4096, signed), randoms))
                unit = 2.0 ** (exponent - 7)
                assert abs(values.mean(dtype=float) - float(signed)) <= unit / 4096
                assert np.abs(values - signed).max() < unit
    for special in (0.0, math.inf, -math.inf):
        values = two_bytes.widened(two_bytes.rounded(np.full(4096, special, np.float32), randoms))
        assert (values == special).all()
    nans = two_bytes.widened(two_bytes.rounded(np.full(4096, np.nan, np.float32), randoms))
    assert np.isnan(nans).all()


def second_moment(description, steps, gain, columns):
    """What rows of ones hold after some steps, where nothing collides: the truth is 1 − keepᵗ."""
    store = description.allocate(1, columns)
    ones = np.ones((1, columns), np.float32)
    for _ in range(steps):
        store.advance(np.array([0]), ones, 1 - gain, gain, True)
    return store.query([0])[0].astype(float)


@pytest.mark.parametrize("decay", ["lazy", "global"])
def test_small_additions_are_kept_on_average(decay):
    """At a gain of 0.001 an addition is an eighth of a unit of the last place, near the end."""
    gain, steps = 1e-3, 4000
    values = second_moment(sl.Dense(decay=decay, cells=HALF), steps, gain, 4096)
    truth = 1 - (1 - gain) ** steps
    low, high = stats.t.interval(0.999, len(values) - 1, values.mean(), stats.sem(values))
    assert low <= truth <= high


@pytest.mark.parametrize("decay", ["lazy", "global"])
def test_rounding_to_the_nearest_would_stop(decay, monkeypatch):
    """The check above fails on it: a second moment stays far below its truth."""
    half_way = np.full(two_bytes.random_numbers(64).shape, 2**15, np.uint16)
    monkeypatch.setattr(two_bytes, "random_numbers", lambda dim: half_way[: 4096 + dim])
    values = second_moment(sl.Dense(decay=decay, cells=HALF), 4000, 1e-3, 64)
    truth = 1 - 0.999**4000
    assert np.abs(values - truth).min() > 0.2 * truth


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9, 0.99, 0.999, 1.0])
def test_noise_of_a_cell_stays_below_its_bound(keep):
    """Linear cells, non-negative additions, any decay of the whole: at most 2^(−7/2) of the truth.

    A number x + a, with x kept already, lies f = a/unit (mod 1) of a unit above a neighbour:
    rounding adds variance f·(1 − f)·unit² ≤ a·unit ≤ 2⁻⁷·a·(x + a). Summed up over the steps, each
    decayed twice over by what follows, that is at most 2⁻⁷ of the truth's square.
    """
    generator = np.random.default_rng(int(1000 * keep))
    columns, bound = 4096, 2**-3.5
    store = sl.Dense(decay="global", cells=HALF).allocate(1, columns)
    exact = 0.0
    for _ in range(200):
        gradient = generator.standard_t(3)
        store.advance(np.array([0]), np.full((1, columns), gradient, np.float32), keep, 1.0, True)
        exact = keep * exact + gradient**2
    errors = store.query([0])[0] / exact - 1
    # an upper limit of the deviation, at 99.9 %
    upper = errors.std() * math.sqrt((columns - 1) / stats.chi2.ppf(0.001, columns - 1))
    assert upper <= bound
    low, high = stats.t.interval(0.999, columns - 1, errors.mean(), stats.sem(errors))
    assert low - 1e-4 <= 0 <= high + 1e-4


def test_count_min_is_one_sided_up_to_rounding_only():
    """Answers can lie below the truth, by no more than rounding explains; without it, none does."""
    generator = np.random.default_rng(3)
    n, steps = 40, 60
    sketches = [
        sl.CountMinSketch(width=30, decay="global", cells=cells).allocate(n, 8)
        for cells in (None, HALF)
    ]
    exact = sl.Dense(decay="global").allocate(n, 8)
    for _ in range(steps):
        rows = np.sort(generator.permutation(n)[:10])
        values = generator.exponential(size=(10, 8)).astype(np.float32)
        for store in (*sketches, exact):
            store.advance(rows, values, 0.97, 0.03)
    truth = exact.query(range(n))
    plain, half = (sketch.query(range(n)) / truth for sketch in sketches)
    assert plain.min() >= 1 - 1e-5
    assert 1 - 6 * 2**-3.5 < half.min() < 1 - 2**-9


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_gives_the_same_bits_again_and_in_any_order_of_rows(backend):
    generator = np.random.default_rng(5)
    description = sl.CountMinSketch(width=7, cells=HALF)
    tables = [np.zeros((30, 4), np.float32) for _ in range(3)]
    optimizers = [sl.RMSprop(table, 0.1, v=description, backend=backend) for table in tables]
    for _ in range(10):
        rows, grads = generator.permutation(30)[:12], generator.normal(size=(12, 4))
        for optimizer, order in zip(optimizers, (slice(None), slice(None), slice(None, None, -1))):
            optimizer.step(grads[order].astype(np.float32), rows=rows[order])
    first, *others = (optimizer.v.cells for optimizer in optimizers)
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("copied", ["state", "copy"])
def test_a_run_that_goes_on_elsewhere_gives_the_same_bits(backend, copied, tmp_path):
    description = sl.CountSketch(shrink=True, width=7, cells=HALF)

    def begin():
        return sl.Momentum(np.zeros((30, 4), np.float32), 0.1, m=description, backend=backend)

    whole, steps = begin(), list(batches(30, 4, 12))
    part = begin()
    for number, (grads, rows) in enumerate(steps):
        whole.step(grads, rows=rows)
        if number == 6:
            if copied == "state":
                part.save(tmp_path / "half.npz")
                table, part = part.table, begin()
                part.load(tmp_path / "half.npz")
                part.table[...] = table
            else:
                part = copy.deepcopy(part)
        part.step(grads, rows=rows)
    np.testing.assert_array_equal(whole.m.cells, part.m.cells)
    np.testing.assert_array_equal(whole.table, part.table)


def filled(description, n=50, dim=3):
    """A live store that has seen some steps."""
    store = description.allocate(n, dim)
    generator = np.random.default_rng(11)
    for _ in range(30):
        rows = np.sort(generator.permutation(n)[:20])
        store.advance(rows, generator.normal(size=(20, dim)).astype(np.float32), 0.9, 0.1, True)
    return store


ALL = [*KINDS.values(), sl.CountMinSketch(width=8, decay="global", cells=HALF)]


@pytest.mark.parametrize("description", ALL, ids=str)
def test_folding_the_multiplier_in_changes_nothing(description):
    """Only its power of two goes into the cells: no number is rounded once more."""
    store = filled(description)
    before = store.query(range(50))
    store.settle()
    np.testing.assert_array_equal(store.query(range(50)), before)
    assert 1 <= abs(store.multiplier) < 2


@pytest.mark.parametrize("description", ALL, ids=str)
def test_scaling(description):
    store = filled(description)
    before = store.query(range(50))
    store.scale(0.75).scale(2.0**-30)
    np.testing.assert_allclose(store.query(range(50)), 0.75 * 2.0**-30 * before, rtol=1e-6)
    store.scale(0)
    assert not store.query(range(50)).any()


def test_scaling_with_row_weights_rounds_without_bias():
    store = sl.Dense(row_weights=True, cells=HALF).allocate(1, 4096)
    store.advance(np.array([0]), np.ones((1, 4096), np.float32), 0.9, 0.1)
    values = store.scale(0.7).query([0])[0].astype(float)
    low, high = stats.t.interval(0.999, 4095, values.mean(), stats.sem(values))
    assert low <= 0.7 * 0.1 <= high


def test_merging_adds_up():
    description = sl.CountMinSketch(width=9, decay="global", cells=HALF)
    one, other = filled(description), filled(description)
    both = one.query(range(50)) + other.query(range(50))
    found = one.merge(other).query(range(50))
    np.testing.assert_allclose(found, both, rtol=2**-6)


@pytest.mark.parametrize("conservative", [False, True])
def test_folding_halves_the_width(conservative):
    wide = sl.CountMinSketch(width=8, decay="global", conservative=conservative, cells=HALF)
    store = filled(wide)
    pairs = store.table.reshape(3, 4, 2, 3)
    joined = pairs.max(axis=2) if conservative else pairs.sum(axis=2)
    store.fold()
    assert store.width == 4
    np.testing.assert_allclose(store.table, joined, rtol=2**-6)


def test_equal_bytes_are_twice_the_buckets():
    for kind in (sl.CountSketch, sl.CountMinSketch):
        plain, half = (kind(compression=5, cells=cells).allocate(9000, 4) for cells in (None, HALF))
        assert half.width == 2 * plain.width
        assert half.nbytes == plain.nbytes
    assert sl.Dense(cells=HALF).allocate(9, 4).nbytes == 9 * 4 * 2


@pytest.mark.parametrize("description", [*KINDS.values(), *SIGNED.values()], ids=str)
def test_descriptions_are_read_back(description):
    assert Description.from_dict(description.to_dict()) == description
    assert "cells" not in type(description)().to_dict()  # files from before stay readable


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: sl.Dense(cells="float16"), "cells='float16'"),
        (lambda: sl.CountSketch(cells="bf16"), "cells='bf16'"),
        (lambda: sl.CountMinSketch(cells=2), "cells=2"),
        (lambda: sl.HeadTail(tail=sl.CountSketch(cells=HALF)), "leave cells out of the tail"),
        (lambda: sl.Dense(cells=HALF).allocate(3, 2, np.float64), "dtype=float64"),
    ],
)
def test_what_cannot_be_is_refused(make, said):
    with pytest.raises(sl.ConfigurationError, match=said):
        make()


def test_widening_is_exact():
    numbers = np.arange(2**16, dtype=np.uint16)
    finite = numbers[np.isfinite(two_bytes.widened(numbers))]
    wide = two_bytes.widened(finite)
    assert wide.tolist() == [widen(int(bits)) for bits in finite]
    np.testing.assert_array_equal(two_bytes.rounded(wide, np.uint16(2**16 - 1)), finite)
