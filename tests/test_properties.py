"""What must hold for every stream: linearity, merging, folding, one-sidedness, order, state.

Each property is a function that raises when it does not hold. Hypothesis tries it on the library;
beside it stands a store that does not have the property, on which it must raise. Values are whole
numbers where the property is an identity, so that sums are exact and equality means equality.
"""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sketchlab as sl

pytestmark = pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning")

N, DIM = 15, 3

sketches = st.builds(
    lambda kind, **shape: kind(**shape),
    st.sampled_from([sl.CountSketch, sl.CountMinSketch]),
    depth=st.integers(1, 5),
    width=st.sampled_from([2, 4, 6, 16]),
    seed=st.integers(0, 2**64 - 1),
)
linear_stores = sketches | st.sampled_from([sl.Dense()])
conservative = st.builds(
    sl.CountMinSketch,
    depth=st.integers(1, 5),
    width=st.sampled_from([2, 4, 6, 16]),
    seed=st.integers(0, 2**64 - 1),
    decay=st.just("global"),
    conservative=st.just(True),
)
CONSERVATIVE = sl.CountMinSketch(width=2, depth=2, decay="global", conservative=True)


@st.composite
def batches(draw):
    """(rows, values): some rows, repeated or none, and whole numbers for them."""
    rows = draw(st.lists(st.integers(0, N - 1), max_size=12))
    flat = draw(st.lists(st.integers(0, 50), min_size=len(rows) * DIM, max_size=len(rows) * DIM))
    return np.array(rows, dtype=np.int64), np.array(flat, dtype=np.float64).reshape(-1, DIM)


# Twelve rows, three of them twice, and other rows: enough for collisions in two buckets.
A_BATCH = (np.arange(N) % 12, np.arange(1.0, 1 + N * DIM).reshape(N, DIM))
ANOTHER = (np.arange(3, 7), np.full((4, DIM), 7.0))


def filled(description, *parts):
    """A live store after the given batches."""
    store = description.allocate(n=N, dim=DIM, dtype=np.float64)
    for rows, values in parts:
        store.update(rows, values)
    return store


def as_oracle(description, *parts):
    """The oracle after the same batches."""
    store = naive.store(description, N, DIM)
    for rows, values in parts:
        store.accumulate(1.0, 1.0, naive.coalesce(values, rows))
    return store


def joined(first, second):
    """Both batches as one."""
    return tuple(np.concatenate(pair) for pair in zip(first, second, strict=True))


def times(factor, batch):
    """The batch with its values multiplied."""
    rows, values = batch
    return rows, factor * values


# Powers of two, by which products are exact.
factors = st.sampled_from([0.0, 0.5, 1.0, 4.0])


# ---------------------------------------------------------------- a sketch by itself


def check_matches_oracle(store, oracle):
    """Same answers for all the rows."""
    expected = [oracle.query(row) for row in range(N)]
    np.testing.assert_array_equal(store.query(np.arange(N)), expected)
    if hasattr(oracle, "table"):
        np.testing.assert_array_equal(store.table, oracle.table)


@given(linear_stores | conservative, batches(), batches(), factors)
def test_additions_match_the_oracle(description, first, second, factor):
    """Update, scale and query, also where rows repeat or collide."""
    store, oracle = filled(description, first), as_oracle(description, first)
    store.scale(factor).update(*second)
    oracle.scale(factor)
    oracle.accumulate(1.0, 1.0, naive.coalesce(second[1], second[0]))
    check_matches_oracle(store, oracle)


@given(sketches)
def test_buckets_and_signs_match_the_oracle(description):
    """Both are (depth, k)."""
    store, oracle = filled(description), as_oracle(description)
    layers = range(description.depth)
    assert store.buckets(np.arange(N)).tolist() == [
        [oracle.bucket(j, row) for row in range(N)] for j in layers
    ]
    if isinstance(description, sl.CountSketch):
        assert store.signs(np.arange(N)).tolist() == [
            [oracle.sign(j, row) for row in range(N)] for j in layers
        ]


@given(st.integers(1, 500), st.integers(1, 20), st.integers(1, 5))
def test_width_follows_from_the_compression(n, compression, depth):
    """depth·width is n/compression, rounded down, and no width is zero."""
    description = sl.CountMinSketch(compression=compression, depth=depth)
    store, oracle = description.allocate(n, DIM), naive.store(description, n, DIM)
    assert store.table.shape == (depth, oracle.width, DIM)
    assert oracle.width == max(1, n // (compression * depth))


def test_another_seed_is_refuted():
    """A store that hashes otherwise does not match the oracle."""
    store = filled(sl.CountSketch(width=4, seed=1), A_BATCH)
    with pytest.raises(AssertionError):
        check_matches_oracle(store, as_oracle(sl.CountSketch(width=4, seed=2), A_BATCH))


# ---------------------------------------------------------------- linearity


def check_linear(description, first, second, factor):
    """Sketch of x, scaled, plus y is the sketch of factor·x + y."""
    step_by_step = filled(description, first).scale(factor)
    step_by_step.update(*second)
    at_once = filled(description, joined(times(factor, first), second))
    np.testing.assert_array_equal(step_by_step.table, at_once.table)


@given(linear_stores, batches(), batches(), factors)
def test_linear(description, first, second, factor):
    """Dense, count sketch and count-min."""
    check_linear(description, first, second, factor)


def test_conservative_update_is_not_linear():
    """And the check says so."""
    with pytest.raises(AssertionError):
        check_linear(CONSERVATIVE, A_BATCH, ANOTHER, 1.0)


# ---------------------------------------------------------------- merge


def check_merge_is_the_sketch_of_the_sum(description, first, second, factor=1.0):
    """Merging two sketches is sketching both streams, also where they were scaled before."""
    merged = filled(description, first).scale(factor)
    merged.merge(filled(description, second).scale(2 * factor))
    both = filled(description, joined(times(factor, first), times(2 * factor, second)))
    np.testing.assert_array_equal(merged.table, both.table)


@given(linear_stores, batches(), batches(), factors)
def test_merge_is_the_sketch_of_the_sum(description, first, second, factor):
    """Dense, count sketch and count-min."""
    check_merge_is_the_sketch_of_the_sum(description, first, second, factor)


def test_conservative_merge_is_not_the_sketch_of_the_sum():
    """It lies above it (next test), and the check says so."""
    with pytest.raises(AssertionError):
        check_merge_is_the_sketch_of_the_sum(CONSERVATIVE, A_BATCH, ANOTHER)


@given(conservative, batches(), batches())
def test_conservative_merge_bounds_the_sum(description, first, second):
    """The sum of cells is at least the true sum, in every row, and what the oracle says."""
    merged = filled(description, first).merge(filled(description, second))
    truth = filled(sl.Dense(), first, second)
    assert np.all(merged.query(np.arange(N)) >= truth.query(np.arange(N)))
    oracle = as_oracle(description, first)
    oracle.merge(as_oracle(description, second))
    check_matches_oracle(merged, oracle)


@pytest.mark.parametrize(
    "other",
    [
        sl.CountSketch(width=4, depth=2, seed=1),
        sl.CountSketch(width=8, depth=2),
        sl.CountSketch(width=4, depth=3),
        sl.CountMinSketch(width=4, depth=2),
    ],
)
def test_sketches_that_hash_otherwise_do_not_merge(other):
    """Refused, and nothing is changed."""
    store = filled(sl.CountSketch(width=4, depth=2), A_BATCH)
    before = store.table.copy()
    with pytest.raises(sl.SketchlabError):
        store.merge(filled(other, A_BATCH))
    np.testing.assert_array_equal(store.table, before)


# ---------------------------------------------------------------- fold


def check_fold_is_half_the_width(store, narrow):
    """A folded sketch is the one that was built so, cells and answers."""
    store.fold()
    np.testing.assert_array_equal(store.table, narrow.table)
    np.testing.assert_array_equal(store.query(np.arange(N)), narrow.query(np.arange(N)))


def halved(description):
    """The same description at half the width."""
    return type(description)(
        width=description.width // 2, depth=description.depth, seed=description.seed
    )


@given(sketches, batches(), batches(), factors)
def test_fold_is_half_the_width(description, first, second, factor):
    """Count sketch and count-min, scaled or not; the folded sketch goes on like the narrow one."""
    store = filled(description, first).scale(factor)
    narrow = filled(halved(description), times(factor, first))
    check_fold_is_half_the_width(store, narrow)
    store.update(*second)
    narrow.update(*second)
    np.testing.assert_array_equal(store.table, narrow.table)


@given(conservative, batches())
def test_conservative_fold_takes_the_larger_bucket(description, batch):
    """As the oracle; every row stays at or above its truth."""
    store, oracle = filled(description, batch).fold(), as_oracle(description, batch)
    oracle.fold()
    check_matches_oracle(store, oracle)
    truth = filled(sl.Dense(), batch)
    assert np.all(store.query(np.arange(N)) >= truth.query(np.arange(N)))


def test_folding_far_buckets_together_is_refuted():
    """Bucket b with b + width/2, as a hash that ends in a modulo would want it."""

    class FoldsFarBuckets:
        def __init__(self, store):
            self.store, self.table = store, store.table

        def fold(self):
            left, right = np.split(self.table, 2, axis=1)
            self.table = left + right

    description = sl.CountSketch(width=6)
    store = FoldsFarBuckets(filled(description, A_BATCH))
    with pytest.raises(AssertionError):
        check_fold_is_half_the_width(store, filled(halved(description), A_BATCH))


def test_odd_width_does_not_fold():
    """There is a bucket without a neighbour."""
    with pytest.raises(sl.SketchlabError):
        filled(sl.CountSketch(width=5), A_BATCH).fold()
