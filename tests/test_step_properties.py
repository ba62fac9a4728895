"""What must hold for every stream of steps: one-sidedness, order of rows, round trips of state.

As in test_properties.py, each check stands beside an optimizer on which it must raise.
"""

import numpy as np
import pytest
from battery import BETA1
from hypothesis import given, settings
from hypothesis import strategies as st

import sketchlab as sl

pytestmark = pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning")

N, DIM = 12, 2
ALL = np.arange(N)
BACKENDS = ["reference", "cpu"]


@st.composite
def streams(draw):
    """List of (grads, rows) with distinct rows, k from 0 to N; hypothesis draws seed and sizes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = draw(st.lists(st.integers(0, N), min_size=1, max_size=8))
    spread = draw(st.sampled_from([0.0, 3.0]))
    return [
        (
            rng.standard_normal((k, DIM)) * np.exp(spread * rng.standard_normal((k, 1))),
            rng.choice(N, k, replace=False),
        )
        for k in sizes
    ]


def rng_stream(steps):
    """A stream in which all the rows move at every step."""
    rng = np.random.default_rng(0)
    return [(rng.standard_normal((N, DIM)), rng.permutation(N)) for _ in range(steps)]


def after(opt, stream):
    """The optimizer after a stream."""
    for grads, rows in stream:
        opt.step(grads, rows=rows)
    return opt


def rmsprop(v, backend="reference", beta=0.9):
    """An optimizer that keeps second moments, in double precision."""
    return sl.RMSprop(np.zeros((N, DIM)), lr=0.1, beta=beta, v=v, backend=backend)


# ---------------------------------------------------------------- never below the truth


def check_never_below(above, below, stream):
    """After every step no estimate of `above` is under that of `below`, but for rounding."""
    for step in stream:
        high = after(above, [step]).v.query(ALL)
        low = after(below, [step]).v.query(ALL)
        assert np.all(high >= low * (1 - 1e-12))


def count_min(seed, depth, width, conservative=False, decay="global"):
    """A count-min description."""
    return sl.CountMinSketch(
        depth=depth, width=width, seed=seed, conservative=conservative, decay=decay
    )


shapes = st.tuples(st.integers(0, 2**64 - 1), st.integers(1, 5), st.integers(1, 16))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("conservative", [False, True])
@given(shape=shapes, stream=streams())
def test_count_min_is_never_below_the_truth(conservative, backend, shape, stream):
    """Under global decay, plain and conservative."""
    sketched = rmsprop(count_min(*shape, conservative=conservative), backend)
    check_never_below(sketched, rmsprop(sl.Dense(decay="global"), backend), stream)


@pytest.mark.parametrize("backend", BACKENDS)
@given(shape=shapes, stream=streams())
def test_conservative_is_never_above_plain(backend, shape, stream):
    """The same buckets, raised no further than needed."""
    plain = rmsprop(count_min(*shape), backend)
    check_never_below(plain, rmsprop(count_min(*shape, conservative=True), backend), stream)


@pytest.mark.parametrize("decay", ["lazy", "bucket"])
def test_other_decays_fall_below_the_truth(decay):
    """All the rows of a bucket decay it: the bound does not hold, and the check says so."""
    sketched = rmsprop(count_min(0, 3, 4, decay=decay))
    with pytest.raises(AssertionError):
        check_never_below(sketched, rmsprop(sl.Dense()), rng_stream(20))


def test_plain_is_above_conservative():
    """The check tells the two apart."""
    conservative = rmsprop(count_min(0, 3, 4, conservative=True))
    with pytest.raises(AssertionError):
        check_never_below(conservative, rmsprop(count_min(0, 3, 4)), rng_stream(5))


# ---------------------------------------------------------------- order of rows


def adam(m, v, backend="reference", dtype=np.float32):
    """An optimizer that keeps both moments."""
    table = np.zeros((N, DIM), dtype)
    return sl.Adam(table, lr=0.1, betas=(BETA1, 0.99), m=m, v=v, backend=backend)


PAIRS = {
    "dense": (sl.Dense("lazy"), sl.Dense("global")),
    "lazy": (sl.CountSketch(width=3), sl.CountMinSketch(width=3)),
    "bucket": (sl.CountSketch(width=3, decay="bucket"), sl.CountMinSketch(width=3, decay="bucket")),
    "global": (sl.CountSketch(width=3, decay="global"), sl.CountMinSketch(width=3, decay="global")),
    "conservative": (
        sl.CountSketch(width=3, depth=4),
        sl.CountMinSketch(width=3, decay="global", conservative=True),
    ),
    "rank 1": (sl.Dense(), sl.Rank1()),
    "svd": (sl.Rank1SVD(), sl.Rank1SVD()),
    "SM3": (sl.Dense(), sl.SM3()),
    "row-wise": (sl.Dense(), sl.RowWise()),
    "quantised": (sl.Quantized(), sl.Quantized(decay="global", signed=False)),
    "means": (sl.CountSketch(width=3), sl.BucketMean(width=3)),
}


def shuffled(stream):
    """The same steps, the rows of each in reverse order."""
    return [(grads[::-1].copy(), rows[::-1].copy()) for grads, rows in stream]


def check_same_bits(first, second):
    """Both optimizers are in the same state and give the same answers."""
    np.testing.assert_array_equal(first.m.query(ALL), second.m.query(ALL))
    np.testing.assert_array_equal(first.v.query(ALL), second.v.query(ALL))
    np.testing.assert_array_equal(first.table, second.table)


def single(stream):
    """The stream in single precision."""
    return [(grads.astype(np.float32), rows) for grads, rows in stream]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("pair", PAIRS)
@settings(max_examples=10)
@given(stream=streams())
def test_order_of_rows_does_not_matter(pair, backend, stream):
    """Only the set of rows does: to the bit."""
    stream = single(stream)
    check_same_bits(
        after(adam(*PAIRS[pair], backend), stream),
        after(adam(*PAIRS[pair], backend), shuffled(stream)),
    )


def test_row_after_row_depends_on_the_order():
    """Reading what the rows before wrote: the check sees it."""

    def one_by_one(stream):
        return [(grads[i : i + 1], rows[i : i + 1]) for grads, rows in stream for i in range(N)]

    stream = single(rng_stream(3))
    with pytest.raises(AssertionError):
        check_same_bits(
            after(adam(*PAIRS["lazy"]), one_by_one(stream)),
            after(adam(*PAIRS["lazy"]), one_by_one(shuffled(stream))),
        )


# ---------------------------------------------------------------- a step's other rows


def check_same_moves(pair, stream, backend="reference"):
    """A row of the last step moves alone as it does among the others, to the bit."""
    grads, rows = stream[-1]
    together = after(adam(*PAIRS[pair], backend), stream)
    for i in range(len(rows)):
        last = grads[i : i + 1], rows[i : i + 1]
        alone = after(adam(*PAIRS[pair], backend), [*stream[:-1], last])
        np.testing.assert_array_equal(alone.table[rows[i]], together.table[rows[i]])


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=10)
@given(stream=streams())
def test_other_rows_of_a_step_do_not_reach_an_answer_of_the_released_kernels(backend, stream):
    """Under bucket decay, all rows in three cells: they change the cells, not the answers."""
    check_same_moves("bucket", single(stream), backend)


@pytest.mark.parametrize("pair", ["lazy", "global", "conservative"])
def test_under_other_decays_they_do(pair):
    with pytest.raises(AssertionError):
        check_same_moves(pair, single(rng_stream(3)))


def test_after_the_step_every_addition_is_read():
    """`query` reads the cells: what other rows added is in them."""
    together, alone = adam(*PAIRS["bucket"]), adam(*PAIRS["bucket"])
    grads, rows = single(rng_stream(1))[0]
    together.step(grads, rows=rows)
    alone.step(grads[:1], rows=rows[:1])
    assert (together.table[rows[0]] == alone.table[rows[0]]).all()
    assert (together.v.query(rows[:1]) > alone.v.query(rows[:1])).all()


# ---------------------------------------------------------------- round trips of state


@pytest.mark.parametrize("pair", PAIRS)
@settings(max_examples=10)
@given(stream=streams(), cut=st.integers(0, 8))
def test_state_round_trips(pair, stream, cut):
    """Taken out and put back at any step, the state changes nothing that comes after."""
    stream = single(stream)
    whole = after(adam(*PAIRS[pair]), stream)
    head = after(adam(*PAIRS[pair]), stream[:cut])
    tail = adam(*PAIRS[pair])
    tail.table[:] = head.table
    tail.load_state_dict(head.state_dict())
    check_same_bits(after(tail, stream[cut:]), whole)


def test_a_step_count_that_is_lost_is_seen():
    """All of the state but the count: bias correction starts again, and the check sees it."""
    stream = single(rng_stream(6))
    whole = after(adam(*PAIRS["dense"]), stream)
    head = after(adam(*PAIRS["dense"]), stream[:3])
    tail = adam(*PAIRS["dense"])
    tail.table[:] = head.table
    tail.load_state_dict(head.state_dict() | {"step_count": 0})
    with pytest.raises(AssertionError):
        check_same_bits(after(tail, stream[3:]), whole)
