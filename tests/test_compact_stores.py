"""What is particular to the field's other stores: one-sidedness, codes, means, bytes."""

import numpy as np
import pytest
from numba import njit

import sketchlab as sl
from sketchlab.stores.arithmetic import nearest_code
from sketchlab.stores.code_book import code_book, code_lines
from sketchlab.stores.sm3 import SM3Store

N, DIM = 40, 5
ALL = np.arange(N)


def sparse_stream(seed, steps=60):
    """(rows, u ≥ 0): some rows, now and then none or all, of very unequal sizes."""
    rng = np.random.default_rng(seed)
    for step in range(steps):
        rows = rng.choice(N, [6, 1, 0, N][step % 4], replace=False)
        yield np.sort(rows), rng.lognormal(0, 2, (len(rows), DIM))


def allocate(description, dtype=np.float64, dim=DIM):
    return description.allocate(N, dim, dtype)


def follow(store, keep, stream):
    """The store's answers after every step of x ← keep·x + (1 − keep)·u; keep = 1 adds u."""
    for rows, added in stream:
        store.advance(rows, added, keep, 1 - keep or 1.0)
        yield store.estimate(ALL)


# ---------------------------------------------------------------- bytes


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize(
    ("description", "numbers", "others"),
    [
        (sl.RowWise(), 1000, 0),
        (sl.SM3(), 1000 + 300, 0),
        (sl.Quantized(), 1000 * 2, 1000 * 300),
        (sl.Quantized(block=100, signed=False), 1000 * 3, 1000 * 300),
        (sl.BucketMean(width=7, depth=2), 2 * 7 * 301, 0),
    ],
    ids=repr,
)
def test_bytes(description, numbers, others, itemsize):
    """Numbers of the table's dtype, and bytes that are codes."""
    store = description.allocate(1000, 300, np.dtype(f"f{itemsize}"))
    assert store.nbytes == numbers * itemsize + others


@pytest.mark.parametrize("dim", [1, 4, 300])
def test_compression_counts_the_weights(dim):
    for compression in (2, 5, 50):
        store = sl.BucketMean(compression=compression).allocate(10_000, dim)
        wanted = 10_000 * dim * 4 / compression
        assert 0.97 * wanted < store.nbytes <= wanted


# ---------------------------------------------------------------- row-wise


@pytest.mark.parametrize("decay", ["lazy", "global"])
def test_row_wise_is_the_exact_variable_of_the_means(decay):
    exact = sl.Dense(decay).allocate(N, 1, np.float64)
    means = [(rows, added.mean(axis=1, keepdims=True)) for rows, added in sparse_stream(0)]
    truths = follow(exact, 0.9, means)
    answers = follow(allocate(sl.RowWise(decay)), 0.9, sparse_stream(0))
    for answer, truth in zip(answers, truths, strict=True):
        np.testing.assert_allclose(answer, np.repeat(truth, DIM, axis=1), rtol=1e-12)


# ---------------------------------------------------------------- SM3


def check_never_below(store, keep, seed):
    """Answers never fall below the exact variable of the global recursion."""
    exact = follow(allocate(sl.Dense("global")), keep, sparse_stream(seed))
    for answer, truth in zip(follow(store, keep, sparse_stream(seed)), exact, strict=True):
        assert (answer >= truth * (1 - 1e-12)).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("keep", [1.0, 0.999, 0.9, 0.5])
def test_sm3_is_never_below_the_truth(keep, seed):
    check_never_below(allocate(sl.SM3()), keep, seed)


class ForgetsOtherRows(SM3Store):
    """Column bounds from the rows of the step alone, as if it were dense."""

    def advance(self, rows, added, keep, gain):
        if len(rows):
            self.column_bounds[...] = 0
        super().advance(rows, added, keep, gain)


class LetsColumnsFade(SM3Store):
    """A lazy decay of the columns, once for every touched row."""

    def advance(self, rows, added, keep, gain):
        self.column_bounds *= keep ** len(rows)
        super().advance(rows, added, keep, gain)


@pytest.mark.parametrize("slip", [ForgetsOtherRows, LetsColumnsFade])
def test_an_sm3_that_forgets_is_refuted(slip):
    store = slip(sl.SM3(), N, DIM, np.dtype("f8"), np.zeros)
    with pytest.raises(AssertionError):
        check_never_below(store, 0.9, seed=0)


def test_sm3_is_exact_where_nothing_is_shared():
    """One column or one row: the bound of the other kind is not the smaller one."""
    for shape in [(N, 1), (1, DIM)]:
        store, exact = (kind.allocate(*shape, np.float64) for kind in (sl.SM3(), sl.Dense()))
        for values in np.random.default_rng(0).uniform(size=(5, *shape)):
            for each in (store, exact):
                each.update(np.arange(shape[0]), values)
        np.testing.assert_allclose(store.table, exact.table)


def test_merged_sm3_bounds_the_sum():
    left, right, truth = allocate(sl.SM3()), allocate(sl.SM3()), allocate(sl.Dense())
    for store, seed in ((left, 1), (right, 2)):
        for rows, added in sparse_stream(seed):
            store.update(rows, added)
            truth.update(rows, added)
    right.scale(0.5).scale(2.0)
    assert (left.merge(right).query(ALL) >= truth.query(ALL) * (1 - 1e-12)).all()
    assert (right.query(ALL) < truth.query(ALL)).any()


# ---------------------------------------------------------------- quantised


def filled(description, values):
    """A store of the given values, and what it answers."""
    store = description.allocate(*values.shape, values.dtype)
    store.update(np.arange(len(values)), values)
    return store, store.query(np.arange(len(values)))


def values_of(signed, dtype, dim=70):
    """Blocks of numbers of one size, of very unequal ones, and of zeros."""
    rng = np.random.default_rng(3)
    values = rng.uniform(-1, 1, (300, dim)) * rng.lognormal(0, [[0.1], [5], [0]] * 100, (300, dim))
    values[2::3] *= 0
    return (values if signed else np.abs(values)).astype(dtype)


def block_maxima(values, block):
    """Every number's largest neighbour."""
    blocks = [np.abs(values[:, at : at + block]) for at in range(0, values.shape[1], block)]
    return np.concatenate([np.full_like(b, 1) * b.max(axis=1, keepdims=True) for b in blocks], 1)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("signed", [True, False])
def test_quantised_numbers_are_off_by_half_a_gap_at_most(signed, dtype):
    """0.45/64 of the block's largest magnitude for signed codes, 0.45/128 for others; tightly."""
    values = values_of(signed, dtype)
    _, answers = filled(sl.Quantized(block=32, signed=signed), values)
    largest = block_maxima(values, 32)
    error = np.abs(answers - values)[largest > 0] / largest[largest > 0]
    bound = 0.45 / (64 if signed else 128)
    assert 0.98 * bound < error.max() <= bound * (1 + 1e-5)
    assert (answers[largest == 0] == 0).all()
    extreme = np.abs(values) == largest
    np.testing.assert_allclose(answers[extreme], values[extreme], rtol=1e-6)


@pytest.mark.parametrize("signed", [True, False])
def test_no_code_is_nearer(signed):
    values = values_of(signed, "f8")
    _, answers = filled(sl.Quantized(block=32, signed=signed), values)
    largest = block_maxima(values, 32)[..., None]
    choices = largest * code_book(signed, np.dtype("f8"))
    nearest = np.abs(choices - values[..., None]).min(axis=-1)
    np.testing.assert_allclose(np.abs(answers - values), nearest, atol=1e-12)


@njit
def compiled_codes(lines, magnitudes):
    """As kernels call it: with scalars."""
    codes = np.empty(magnitudes.size, np.uint8)
    for e in range(magnitudes.size):
        codes[e] = nearest_code(lines, magnitudes[e])
    return codes


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("signed", [True, False])
def test_halfway_between_two_codes_the_larger_is_taken(signed, dtype):
    """By arrays and by compiled scalars alike: 5e-7 of the largest is code 1 of signed ones."""
    lines = code_lines(signed, np.dtype(dtype))
    half = np.dtype(dtype).type(0.5) / lines[0, 0]
    assert half * lines[0, 0] == 0.5
    magnitudes = np.append(half, np.random.default_rng(0).uniform(0, 1, 999).astype(dtype))
    for codes in (nearest_code(lines, magnitudes), compiled_codes(lines, magnitudes)):
        assert codes.dtype == np.uint8
        assert codes[0] == 1
        np.testing.assert_array_equal(codes, nearest_code(lines, magnitudes))


@pytest.mark.parametrize(("signed", "count", "smallest"), [(True, 255, 1e-6), (False, 256, 1e-7)])
def test_the_code_book(signed, count, smallest):
    """Dense near one, over six or seven powers of ten; of either sign alike."""
    book = np.unique(code_book(signed, np.dtype("f8")))
    assert len(book) == count
    assert book.max() == 1
    assert book[book > 0].min() == pytest.approx(smallest)
    if signed:
        np.testing.assert_array_equal(book, -book[::-1])
    else:
        assert book.min() == 0
    assert code_book(signed, np.dtype("f4"))[0] == 0  # what fresh memory stands for


def test_a_step_touches_its_own_blocks_only():
    store, before = filled(sl.Quantized(block=2), values_of(True, "f4", dim=5))
    store.advance(np.array([7]), np.full((1, 5), 1e6, np.float32), 0.9, 1.0)
    after = store.query(np.arange(store.n))
    np.testing.assert_array_equal(np.delete(after, 7, 0), np.delete(before, 7, 0))
    assert (after[7] >= 0.99e6).all()


@pytest.mark.parametrize("decay", ["lazy", "global"])
def test_decay_of_rows_that_no_step_touches(decay):
    """Exact under global decay: one factor for all the scales; the codes stay."""
    store, before = filled(sl.Quantized(decay=decay), values_of(True, "f8"))
    codes = store.codes.copy()
    for _ in range(100):
        store.advance(np.array([], np.int64), np.zeros((0, 70)), 0.5, 1.0)
    faded = 0.5**100 if decay == "global" else 1
    np.testing.assert_allclose(store.query(np.arange(store.n)), faded * before, rtol=1e-12)
    np.testing.assert_array_equal(store.codes, codes)


def test_a_merged_quantised_store_is_the_sum_rounded_once_more():
    left, right = values_of(True, "f8"), values_of(True, "f8")[::-1].copy()
    (one, first), (other, second) = filled(sl.Quantized(), left), filled(sl.Quantized(), right)
    truth = first + 3 * second
    found = one.merge(other.scale(3.0)).query(np.arange(len(left)))
    assert (np.abs(found - truth) <= 0.45 / 64 * block_maxima(truth, 256) * 1.000001).all()
    assert one.scale(-2.0).query([0])[0, 0] == -2 * found[0, 0]


def test_stores_of_other_blocks_or_signs_do_not_merge():
    store = allocate(sl.Quantized())
    for other in (sl.Quantized(block=2), sl.Quantized(signed=False), sl.Dense()):
        with pytest.raises(sl.ConfigurationError, match="cannot merge"):
            store.merge(allocate(other))


# ---------------------------------------------------------------- means


def check_unbiased(store, keep=0.9):
    """Under a stationary load the answers add up to the truths, in all columns, at every step."""
    rng = np.random.default_rng(0)
    load = [(ALL, rng.lognormal(0, 2, (N, DIM))) for _ in range(30)]
    exact = follow(allocate(sl.Dense("global")), keep, load)
    for answer, truth in zip(follow(store, keep, load), exact, strict=True):
        np.testing.assert_allclose(answer.sum(axis=0), truth.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_bucket_means_are_unbiased(seed):
    check_unbiased(allocate(sl.BucketMean(width=4, depth=1, seed=seed)))


@pytest.mark.parametrize(
    "other", [sl.CountMinSketch(width=4, depth=1, decay="global"), sl.BucketMean(width=4, depth=3)]
)
def test_sums_of_buckets_and_minima_of_means_are_not(other):
    with pytest.raises(AssertionError):
        check_unbiased(allocate(other))


def test_alone_in_its_bucket_a_row_is_answered_as_if_always_touched():
    """Every third step: after the bias correction 1/F the weighted mean of its own u."""
    keep, store = 0.9, sl.BucketMean(width=1).allocate(1, 1, np.float64)
    weight = total = 0.0
    for step in range(20):
        rows = np.array([0] if step % 3 == 0 else [], np.int64)
        store.advance(rows, np.full((len(rows), 1), 1.0 + step), keep, 1 - keep)
        weight, total = keep * weight, keep * total
        if len(rows):
            weight, total = weight + 1 - keep, total + (1 - keep) * (1 + step)
        correction = 1 / (1 - keep ** (step + 1))
        assert store.query([0])[0, 0] * correction == pytest.approx(total / weight)


def test_means_merge_over_equal_steps():
    """Two halves of every step's rows make the store of whole steps."""
    description = sl.BucketMean(width=3, depth=2)
    whole, left, right = (allocate(description) for _ in range(3))
    for rows, added in sparse_stream(0):
        whole.advance(rows, added, 0.9, 0.1)
        left.advance(rows[::2], added[::2], 0.9, 0.1)
        right.advance(rows[1::2], added[1::2], 0.9, 0.1)
    np.testing.assert_allclose(left.merge(right).table, whole.table, rtol=1e-12)


def test_means_over_other_steps_do_not_merge():
    store, other = allocate(sl.BucketMean(width=3)), allocate(sl.BucketMean(width=3))
    store.update([1], np.ones((1, DIM)))
    for _ in range(2):
        other.update([1], np.ones((1, DIM)))
    before = store.table
    with pytest.raises(sl.ConfigurationError, match="weigh 2 there and 1 here"):
        store.merge(other)
    np.testing.assert_array_equal(store.table, before)


def test_folded_means_are_those_of_half_the_width():
    wide, narrow = (allocate(sl.BucketMean(width=width, seed=5)) for width in (8, 4))
    for rows, added in sparse_stream(0):
        for store in (wide, narrow):
            store.advance(rows, added, 0.9, 0.1)
    np.testing.assert_allclose(wide.fold().table, narrow.table, rtol=1e-12)
    assert wide.nbytes == narrow.nbytes
    assert wide.description == narrow.description
