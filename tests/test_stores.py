"""Stores by themselves: sizes, widths, descriptions, scaling, cleaning, folding, merging."""

import json

import numpy as np
import pytest

import sketchlab as sl

DESCRIPTIONS = [
    sl.Dense(),
    sl.Dense(decay="global"),
    sl.CountSketch(width=8, depth=4, decay="bucket", seed=2**64 - 1, clean=sl.Clean(0.2, 125)),
    sl.CountMinSketch(compression=2.5, conservative=True),
    sl.CountSketch(width=9, depth=2, shrink=True),
    sl.Rank1(decay="global"),
    sl.Rank1SVD(),
    sl.RowWise(),
    sl.RowWise(decay="global"),
    sl.SM3(),
    sl.Quantized(decay="global"),
    sl.Quantized(block=2, signed=False),
    sl.BucketMean(width=7, depth=2, seed=3),
]


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=repr)
def test_descriptions_are_values(description):
    copy = sl.Dense.from_dict(json.loads(json.dumps(description.to_dict())))
    assert copy == description
    assert hash(copy) == hash(description)
    assert eval(repr(description), vars(sl)) == description
    with pytest.raises(AttributeError):
        description.decay = "lazy"


def test_numpy_numbers_make_the_same_description():
    numbers = sl.CountSketch(width=np.int64(8), depth=np.int32(2), seed=np.uint64(2**63))
    assert numbers == sl.CountSketch(width=8, depth=2, seed=2**63)
    assert json.loads(json.dumps(numbers.to_dict())) == numbers.to_dict()


def test_the_papers_shapes():
    """Spring et al. (2019): LM1B's sketch is (3, 52 898, 256), 5 times smaller than exact."""
    assert sl.CountSketch(compression=5, depth=3).width_for(793_471) == 52_898
    wikitext2 = sl.CountSketch(width=16, depth=3).allocate(33_278, 672)
    assert wikitext2.nbytes == 4 * 32_256
    assert sl.Rank1().allocate(33_278, 256).nbytes == 4 * 33_534


@pytest.mark.parametrize(
    ("n", "compression", "depth", "width"),
    [(1, 5, 3, 1), (15, 5, 3, 1), (29, 5, 3, 1), (30, 5, 3, 2)],
)
def test_width_is_rounded_down_and_at_least_one(n, compression, depth, width):
    assert sl.CountSketch(compression=compression, depth=depth).width_for(n) == width


def test_defaults_are_the_papers_algorithms():
    assert sl.CountSketch().decay == sl.CountMinSketch().decay == sl.Dense().decay == "lazy"
    assert sl.CountMinSketch(conservative=True).decay == "global"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("description", DESCRIPTIONS, ids=repr)
def test_stores_keep_their_dtype_and_say_their_size(description, dtype):
    store = description.allocate(200, 3, dtype)
    store.update([1, 5], np.ones((2, 3)))
    assert store.query([1]).dtype == store.table.dtype == dtype
    arrays = [value for value in store.state().values() if isinstance(value, np.ndarray)]
    assert store.nbytes == sum(array.nbytes for array in arrays)


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=repr)
def test_scaling_scales_every_answer(description):
    store = description.allocate(50, 3, np.float64)
    store.update(np.arange(50), np.random.default_rng(0).uniform(size=(50, 3)))
    before = store.query(np.arange(50))
    for factor in (0.5, 1e-12, 1e12, 3.0):
        assert store.scale(factor) is store
        before = before * factor
        np.testing.assert_allclose(store.query(np.arange(50)), before, rtol=1e-12)
    store.scale(0)
    assert not store.query(np.arange(50)).any()


def test_many_decays_neither_overflow_nor_lose_bits():
    """10 000 steps at keep = 0.9 shrink by 1e-457: the multiplier alone would underflow."""
    store = sl.CountMinSketch(width=4, decay="global").allocate(8, 2)
    one = np.ones((1, 2), np.float32)
    for _ in range(10_000):
        store.advance(np.array([3]), one, keep=0.9, gain=0.1)
    np.testing.assert_allclose(store.query([3]), 1, rtol=1e-5)


@pytest.mark.parametrize("value", [1e30, 1e-30])
def test_large_and_small_values_survive_global_decay(value):
    store = sl.CountSketch(width=64, decay="global").allocate(200, 1)
    added = np.full((1, 1), value, np.float32)
    for _ in range(500):
        store.advance(np.array([3]), added, keep=0.9, gain=0.1)
    np.testing.assert_allclose(store.query([3]), value, rtol=1e-5)


def test_cleaning_comes_at_the_end_of_every_nth_step():
    table = np.zeros((40, 1), np.float64)
    clean = sl.Clean(factor=0.25, every=3)
    for backend in ("reference", "cpu"):
        opt = sl.Adagrad(table, 0.1, v=sl.CountMinSketch(width=2, clean=clean), backend=backend)
        held = []
        for _ in range(6):
            opt.step(np.ones((1, 1)), rows=[7])
            held.append(float(opt.v.query([7])[0, 0]))
        assert held == [1, 2, 0.75, 1.75, 2.75, 0.9375]


def test_merging_a_store_with_another_multiplier():
    description = sl.CountSketch(width=16, decay="global")
    left, right = description.allocate(60, 2, np.float64), description.allocate(60, 2, np.float64)
    left.update([1], [[4.0, 8.0]])
    right.update([1], [[1.0, 1.0]])
    assert left.scale(0.5).merge(right.scale(3.0)) is left
    np.testing.assert_allclose(left.query([1]), [[5.0, 7.0]])
    np.testing.assert_allclose(right.query([1]), [[3.0, 3.0]])


def test_folding_until_one_bucket_is_left():
    sk = sl.CountMinSketch(width=8).allocate(100, 1, np.float64)
    sk.update(np.arange(100), np.ones((100, 1)))
    for width in (4, 2, 1):
        assert sk.fold().width == width == sk.table.shape[1]
        assert sk.buckets([3]).max() < width
    assert sk.query([0])[0, 0] == 100


def test_a_conservative_store_answers_between_the_truth_and_the_plain_sketch_after_a_fold():
    rng = np.random.default_rng(1)
    plain = sl.CountMinSketch(width=16, decay="global").allocate(100, 2, np.float64)
    raised = sl.CountMinSketch(width=16, conservative=True).allocate(100, 2, np.float64)
    truth = np.zeros((100, 2))
    for _ in range(30):
        rows, values = rng.choice(100, 20, replace=False), rng.uniform(size=(20, 2))
        truth[rows] += values
        plain.update(rows, values)
        raised.update(rows, values)
    everything = np.arange(100)
    for _ in range(4):
        assert (raised.query(everything) >= truth - 1e-12).all()
        assert (raised.query(everything) <= plain.query(everything) + 1e-12).all()
        plain.fold()
        raised.fold()


def test_a_conservative_sum_bounds_the_sum_and_a_maximum_would_not():
    """Why merge adds: the entry-wise maximum of two sketches is below the sum of their truths."""
    description = sl.CountMinSketch(width=32, conservative=True)
    left, right = description.allocate(200, 1), description.allocate(200, 1)
    left.update([5], [[2.0]])
    right.update([5], [[3.0]])
    larger = np.maximum(left.query([5]), right.query([5]))
    assert larger < 5 <= left.merge(right).query([5])


def test_live_stores_are_the_optimizers_own():
    table = np.zeros((500, 2), np.float32)
    opt = sl.Adam(table, m=sl.CountSketch(seed=1), v=sl.CountMinSketch(seed=2))
    opt.step(np.ones((1, 2)), rows=[3])
    assert opt.m.query([3])[0, 0] == pytest.approx(0.1)
    assert opt.v.query([3])[0, 0] == pytest.approx(0.001)
    assert opt.nbytes == opt.m.nbytes + opt.v.nbytes
    assert sl.SGD(table, 0.1).m is sl.SGD(table, 0.1).v is None
    assert sl.RMSprop(table, 0.1).m is None


@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 2, 3), (1, 5)])
def test_tables_of_any_shape(shape):
    rng = np.random.default_rng(0)
    flat = np.zeros((shape[0], int(np.prod(shape[1:]))), np.float32)
    shaped = np.zeros(shape, np.float32)
    one, other = sl.Adagrad(flat, 0.1), sl.Adagrad(shaped, 0.1)
    for _ in range(3):
        grads = rng.normal(size=(2, *shape[1:]))
        one.step(grads.reshape(2, -1), rows=[0, shape[0] - 1])
        other.step(grads, rows=[0, shape[0] - 1])
        dense = rng.normal(size=shape)
        one.step(dense.reshape(flat.shape))
        other.step(dense)
    np.testing.assert_array_equal(shaped.reshape(flat.shape), flat)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_gradients_that_are_a_part_of_the_table(backend):
    """Row 1 moves by what row 0 was before the step, not by what it has become."""
    table = np.array([[1.0], [2.0], [4.0]])
    sl.SGD(table, 0.5, backend=backend).step(table[:2], rows=[1, 0])
    np.testing.assert_array_equal(table, [[0.0], [1.5], [4.0]])
