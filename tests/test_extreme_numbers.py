"""Very large and very small gradients, and eps = 0: no infinity that exact arithmetic has not."""

import naive
import numpy as np
import pytest

import sketchlab as sl

pytestmark = pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning")

BACKENDS = ["reference", "cpu"]
N, DIM = 50, 64
SECOND = {
    "dense-lazy": sl.Dense(),
    "dense-global": sl.Dense(decay="global"),
    "cms-lazy": sl.CountMinSketch(width=8),
    "cms-global": sl.CountMinSketch(width=8, decay="global"),
    "cms-bucket": sl.CountMinSketch(width=8, decay="bucket"),
    "cms-conservative": sl.CountMinSketch(width=8, conservative=True),
    "ht-cms-global": sl.HeadTail(tail=sl.CountMinSketch(decay="global")),
    "nmf-lazy": sl.Rank1(),
    "nmf-global": sl.Rank1(decay="global"),
    "row-lazy": sl.RowWise(),
    "row-global": sl.RowWise(decay="global"),
    "sm3": sl.SM3(),
    "q8-lazy": sl.Quantized(),
    "q8-global": sl.Quantized(decay="global"),
    "mean": sl.BucketMean(width=8),
}
DIVIDED = ["dense-global", "cms-global", "cms-conservative", "ht-cms-global"]
SMALL = ["dense-lazy", "cms-lazy", "cms-conservative", "nmf-lazy", "mean"]
FIRST = {
    "dense-lazy": sl.Dense(),
    "dense-global": sl.Dense(decay="global"),
    "cs-global": sl.CountSketch(width=8, decay="global"),
    "cs-shrunken": sl.CountSketch(width=8, shrink=True),
}


def row(value):
    return np.full((1, DIM), value, np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("m", FIRST.values(), ids=FIRST)
@pytest.mark.parametrize("store", SECOND)
def test_one_huge_gradient_spoils_nothing(store, m, backend):
    """g² = 1e40 is no float32, (1 − beta2)·g² = 1e37 is one."""
    table = np.zeros((N, DIM), np.float32)
    opt = sl.Adam(table, 0.01, m=m, v=SECOND[store], backend=backend)
    opt.step(np.ones((N, DIM), np.float32))
    opt.step(row(1e20), rows=[3])
    for _ in range(3):
        opt.step(np.ones((N, DIM), np.float32))
    assert np.isfinite(table).all()
    assert np.isfinite(opt.v.query(np.arange(N))).all()
    assert (opt.v.query([3]) > 1e35).all()  # of a mean with other rows, too


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_huge_gradient_moves_its_row_as_the_oracle_does(backend):
    table = np.zeros((N, DIM), np.float32)
    settings = {"lr": 0.01, "m": sl.Dense(decay="global"), "v": sl.Dense(decay="global")}
    opt, right = sl.Adam(table, backend=backend, **settings), naive.Adam(table, **settings)
    for grads in (row(1.0), row(1e20), row(1.0)):
        opt.step(grads, rows=[3])
        right.step(grads.tolist(), rows=[3])
    np.testing.assert_allclose(table[3], right.table[3], rtol=1e-5)
    assert abs(table[3, 0]) > 0.01


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("store", DIVIDED)
def test_a_huge_gradient_after_a_long_decay_does_not_overflow(store, backend):
    """The arrays are divided by a multiplier that has shrunk to 1e-5; 1e37 / 1e-5 is no float32."""
    table = np.zeros((N, DIM), np.float32)
    opt = sl.RMSprop(table, 0.01, beta=0.9, v=SECOND[store], backend=backend)
    opt.step(np.ones((N, DIM), np.float32))
    for _ in range(110):
        opt.step(np.empty((0, DIM), np.float32), rows=[])
    assert abs(opt.v.multiplier) < 1e-4
    opt.step(row(1e19), rows=[3])
    np.testing.assert_allclose(opt.v.query([3]), 1e37, rtol=1e-4)
    assert np.isfinite(table).all()


RULES = {
    "Adagrad": lambda table, v, **rest: sl.Adagrad(table, 0.5, eps=0, v=v, **rest),
    "RMSprop": lambda table, v, **rest: sl.RMSprop(table, 0.5, eps=0, v=v, **rest),
    "RMSprop clipped": lambda table, v, **rest: sl.RMSprop(
        table, 0.5, eps=0, v=v, clip="feasible", **rest
    ),
    "Adam": lambda table, v, **rest: sl.Adam(table, 0.5, eps=0, v=v, **rest),
    "Adam clipped": lambda table, v, **rest: sl.Adam(
        table, 0.5, eps=0, m=sl.Dense(decay="global"), v=v, clip="feasible", **rest
    ),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gradient", [0.0, 1e-25, -1e-38])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("store", SMALL)
def test_nothing_to_divide_by_is_no_step(store, rule, gradient, backend):
    """A second moment of zero, or one that has underflowed, with eps = 0: the step is 0."""
    table = np.ones((N, DIM), np.float32)
    opt = RULES[rule](table, SECOND[store], backend=backend)
    for _ in range(2):
        opt.step(row(gradient), rows=[3])
    assert (table == 1).all()
    for _ in range(2):  # and the state is as good as new
        opt.step(row(1.0), rows=[3])
    assert np.isfinite(table).all()
    assert (table[3] < 1).all()
    assert (np.delete(table, 3, axis=0) == 1).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_ratio_of_zeros_is_zero_and_a_nan_stays_one(backend):
    table = np.ones((2, 2), np.float32)
    opt = sl.RMSprop(table, 0.5, eps=0, backend=backend, check_finite=False)
    with np.errstate(invalid="ignore"):
        opt.step(np.array([[0.0, 1.0], [np.nan, 1.0]]))
    assert table[0].tolist() == [1, 0.5]
    assert np.isnan(table[1, 0]) and table[1, 1] == 0.5
