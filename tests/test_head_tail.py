"""Head-and-tail stores, row weights, and the clipping to feasible updates."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sketchlab as sl
from sketchlab.rules.feasible import largest_ratio

N, DIM = 40, 3


def allocate(description, n=N, dim=DIM):
    return description.allocate(n, dim, np.float64)


def test_budget():
    """Head and tail together take what the sketch alone would, but for rounding."""
    for compression in (2, 5, 20):
        alone = sl.CountSketch(compression=compression)
        store = sl.HeadTail(head=0.75, tail=alone).allocate(100_000, 8)
        assert store.nbytes == pytest.approx(alone.allocate(100_000, 8).nbytes, rel=1e-3)
        assert store.heads == int(0.75 * 100_000 / compression)


def test_given_width_is_the_tails_share():
    store = allocate(sl.HeadTail(head=0.5, tail=sl.CountMinSketch(width=4, depth=2)))
    assert (store.heads, store.width, store.depth) == (8, 4, 2)


@pytest.mark.parametrize("decay", ["lazy", "bucket", "global"])
def test_head_is_exact(decay):
    """Rows of the head are those of Dense, whatever the tail does."""
    tail = sl.CountSketch(width=1, depth=3, decay=decay)
    store = allocate(sl.HeadTail(head=0.8, tail=tail))
    exact = allocate(sl.Dense(decay="global" if decay == "global" else "lazy"))
    rng = np.random.default_rng(0)
    for _ in range(30):
        rows = rng.choice(N, 9, replace=False)
        added = rng.standard_normal((9, DIM))
        for each in (store, exact):
            each.advance(rows, added, keep=0.9, gain=0.1)
    head = np.arange(store.heads)
    np.testing.assert_allclose(store.query(head), exact.query(head), rtol=1e-12)
    tail_rows = np.arange(store.heads, N)
    assert np.abs(store.query(tail_rows) - exact.query(tail_rows)).max() > 0.01


def test_frequent_rows_come_into_the_head():
    """The head finds the rows touched most, and from then on they are exact."""
    tail = sl.CountSketch(width=2, depth=3, decay="global")
    description = sl.HeadTail(head=0.5, tail=tail, rows="frequent", every=5)
    table = np.zeros((N, DIM))
    opt = sl.Momentum(table, lr=0.1, m=description)
    often = np.array([31, 33, 35])
    for step in range(10):
        rows = np.append(often, step)
        opt.step(np.ones((len(rows), DIM)), rows=rows)
    assert np.isin(often, opt.m.residents).all()
    assert (opt.m.places(often) >= 0).all()
    assert len(np.unique(opt.m.residents)) == opt.m.heads


def test_promotion_keeps_the_sum():
    """For a linear sketch nothing is lost or made: head and tail still add up to the same."""
    tail = sl.CountSketch(width=3, depth=3, decay="global", seed=2)
    store = allocate(sl.HeadTail(head=0.5, tail=tail, rows="frequent", every=10**6))
    plain = allocate(sl.CountSketch(width=3, depth=3, decay="global", seed=2))
    rng = np.random.default_rng(1)
    for _ in range(20):
        rows = np.unique(rng.integers(0, N, 12) ** 2 // N)
        added = rng.standard_normal((len(rows), DIM))
        store.advance(N - 1 - rows, added, keep=0.9, gain=0.1)
        plain.advance(N - 1 - rows, added, keep=0.9, gain=0.1)
    store.promote()
    assert not np.array_equal(store.residents, np.arange(store.heads))
    store.settle()
    total = store.tail.cells.copy()
    for place, row in enumerate(store.residents):
        for j, (bucket, sign) in enumerate(
            zip(plain.buckets([row])[:, 0], plain.signs([row])[:, 0])
        ):
            total[j, bucket] += sign * store.flat_cells[place]
    np.testing.assert_allclose(total, plain.table, atol=1e-12)


@pytest.mark.parametrize("rows", ["first", "frequent"])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_conservative_tail_stays_above(rows, seed):
    """v̂ ≥ v for every row at every step, through promotions too."""
    tail = sl.CountMinSketch(width=2, depth=2, conservative=True, seed=seed)
    store = allocate(sl.HeadTail(head=0.5, tail=tail, rows=rows, every=3), dim=1)
    exact = allocate(sl.Dense(decay="global"), dim=1)
    rng = np.random.default_rng(seed)
    for step in range(1, 25):
        active = np.unique(rng.zipf(1.5, 8) % N)
        added = rng.random((len(active), 1))
        for each in (store, exact):
            each.advance(active, added, keep=0.8, gain=0.2)
            each.end_step(step)
        everyone = np.arange(N)
        assert (store.query(everyone) >= exact.query(everyone) * (1 - 1e-12)).all()


def test_fold_keeps_the_head():
    """Folding halves the tail as if it had been built so."""

    def build(width):
        # the head is 24 rows for every width
        head = 24.01 / (24.01 + 3 * width)
        store = allocate(sl.HeadTail(head=head, tail=sl.CountSketch(width=width, seed=3)))
        rng = np.random.default_rng(0)
        store.update(np.arange(N), rng.standard_normal((N, DIM)))
        return store

    wide, narrow = build(8), build(4)
    assert wide.heads == narrow.heads
    np.testing.assert_allclose(wide.fold().query(np.arange(N)), narrow.query(np.arange(N)))


def test_row_weights_are_means_of_own_gradients():
    """A row touched twice, far apart, answers the weighted mean of its two gradients."""
    table = np.zeros((4, 1))
    opt = sl.Adam(table, 0.1, betas=(0.9, 0.999), m=sl.Dense(row_weights=True))
    opt.step([[1.0], [1.0]], rows=[0, 1])
    for _ in range(9):
        opt.step([[1.0]], rows=[1])
    opt.step([[3.0], [1.0]], rows=[0, 1])
    old, corrected = 0.9**10, 1 - 0.9**11
    mean = (old * 1 + 3) / (old + 1)
    np.testing.assert_allclose(opt.m.query([0, 1])[:, 0] / corrected, [mean, 1], rtol=1e-6)
    assert opt.m.query([2])[0, 0] == 0


def test_row_weights_are_adams_bias_correction():
    """On dense steps they change nothing."""
    rng = np.random.default_rng(0)
    tables = [np.zeros((5, 2)) for _ in range(2)]
    stores = [sl.Dense(decay="global"), sl.Dense(row_weights=True)]
    opts = [sl.Adam(table, 0.1, m=store) for table, store in zip(tables, stores)]
    for _ in range(20):
        grad = rng.standard_normal((5, 2))
        for opt in opts:
            opt.step(grad)
    np.testing.assert_allclose(*tables, rtol=1e-10)


FORMS = {
    "lazy, lazy": (sl.Dense(), sl.Dense()),
    "global, global": (sl.Dense(decay="global"), sl.Dense(decay="global")),
    "global, lazy": (sl.Dense(decay="global"), sl.Dense()),
    "global, weighted": (sl.Dense(decay="global"), sl.Dense(row_weights=True)),
    "weighted, lazy": (sl.Dense(row_weights=True), sl.Dense()),
    "weighted, global": (sl.Dense(row_weights=True), sl.Dense(decay="global")),
    "weighted, weighted": (sl.Dense(row_weights=True), sl.Dense(row_weights=True)),
}
BETAS = [(0.9, 0.999), (0.5, 0.6), (0.9, 0.5), (0.0, 0.9), (0.95, 0.95)]


@pytest.mark.parametrize("betas", BETAS, ids=str)
@pytest.mark.parametrize("forms", FORMS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_clip_changes_nothing_for_exact_variables(forms, betas, seed):
    """Whatever rows are touched and however wildly gradients vary."""
    m, v = FORMS[forms]
    rng = np.random.default_rng(seed)
    tables = [np.zeros((6, 2)) for _ in range(2)]
    opts = [
        sl.Adam(table, 0.1, betas=betas, eps=0, m=m, v=v, clip=clip, backend="reference")
        for table, clip in zip(tables, (None, "feasible"))
    ]
    touch = rng.random(6)
    for _ in range(30):
        rows = np.flatnonzero(rng.random(6) < touch)
        grads = rng.standard_normal((len(rows), 2)) * 10.0 ** rng.integers(-3, 4, (len(rows), 2))
        for opt in opts:
            opt.step(grads, rows=rows)
    np.testing.assert_allclose(*tables, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.6), (0.0, 0.9)], ids=str)
def test_interval_is_reached(betas):
    """Some gradients reach the bound: a smaller interval would change exact updates."""
    beta1, beta2 = betas
    steps = 12
    ages = np.arange(steps)[::-1]
    worst = ((1 - beta1) * beta1**ages) / ((1 - beta2) * beta2**ages)
    m = ((1 - beta1) * beta1**ages * worst).sum() / (1 - beta1**steps)
    v = ((1 - beta2) * beta2**ages * worst**2).sum() / (1 - beta2**steps)
    assert m / np.sqrt(v) == pytest.approx(largest_ratio(betas, steps, "lazy"), rel=2e-4)
    # a row touched for the first time, with row weights on m
    once = 1 / np.sqrt((1 - beta2) / (1 - beta2**steps))
    assert once == pytest.approx(largest_ratio(betas, steps, "weighted"), rel=2e-4)


def largest_of_all_touches(betas, steps):
    """The largest ratio of two weighted moments, over all sets of touches with the last step."""
    beta1, beta2 = betas
    found = 0.0
    for choice in itertools.product([False, True], repeat=steps - 1):
        ages = np.flatnonzero([True, *choice])
        means, squares = beta1**ages / (beta1**ages).sum(), beta2**ages / (beta2**ages).sum()
        found = max(found, np.sqrt((means**2 / squares).sum()))
    return found


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.6), (0.9, 0.5), (0.3, 0.99)], ids=str)
def test_interval_of_two_weighted_moments_is_tight(betas):
    """By Cauchy–Schwarz a set of touches reaches √(Σa²/b); the interval is little wider."""
    for steps in (1, 2, 5, 10):
        reached, limit = (
            largest_of_all_touches(betas, steps),
            largest_ratio(betas, steps, "weighted", "weighted"),
        )
        assert reached <= limit <= 1.2 * reached


def test_two_weighted_moments_that_decay_alike_have_no_ratio_above_one():
    """By Cauchy–Schwarz; the interval of m's weights alone is 1/√(1−β)."""
    assert largest_ratio((0.95, 0.95), 10**6, "weighted", "weighted") == pytest.approx(1.0001)
    assert largest_ratio((0.95, 0.95), 10**6, "weighted", "global") > 4


@pytest.mark.parametrize("betas", [(0.0, 0.9), (0.0, 0.0), (0.9, 0.0), (0.99, 0.5)], ids=str)
@pytest.mark.parametrize("steps", [1, 2, 10**7])
def test_interval_of_two_weighted_moments_at_its_limits(betas, steps):
    limit = largest_ratio(betas, steps, "weighted", "weighted")
    assert 1 < limit <= largest_ratio(betas, steps, "weighted") * (1 + 1e-12)


def test_lazy_over_global_has_no_interval():
    """The ratio that the error speaks of does occur."""
    table = np.zeros((1, 1))
    opt = sl.Adam(table, 0.1, betas=(0.9, 0.5), eps=0, v=sl.Dense(decay="global"))
    opt.step([[1.0]], rows=[0])
    for _ in range(60):
        opt.step(np.zeros((0, 1)), rows=[])
    before = table.copy()
    opt.step([[1e-9]], rows=[0])
    assert abs(table - before)[0, 0] > 0.1 * 1e3
    with pytest.raises(sl.ConfigurationError, match="can have any ratio"):
        sl.Adam(table, 0.1, v=sl.Dense(decay="global"), clip="feasible")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: sl.HeadTail(head=1.0), "head=1.0"),
        (lambda: sl.HeadTail(tail=sl.Dense()), "give sketchlab.CountSketch"),
        (lambda: sl.HeadTail(tail=sl.BucketMean()), "give sketchlab.CountSketch"),
        (lambda: sl.HeadTail(rows="last"), "rows='last'"),
        (lambda: sl.HeadTail(every=0), "every"),
        (
            lambda: sl.HeadTail(tail=sl.CountSketch(row_weights=True)),
            "give row_weights to HeadTail",
        ),
        (
            lambda: sl.HeadTail(tail=sl.CountSketch(decay="bucket"), row_weights=True),
            "row weights correct global decay",
        ),
        (lambda: sl.Dense(decay="lazy", row_weights=True), "row_weights=True"),
        (lambda: sl.CountSketch(decay="bucket", row_weights=True), "row_weights=True"),
        (lambda: sl.Dense(row_weights=1), "give True or False"),
        (lambda: sl.Adam(np.zeros((2, 2)), clip="always"), "clip='always'"),
        (lambda: sl.RMSprop(np.zeros((2, 2)), 0.1, clip=3), "clip=3"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(sl.ConfigurationError, match=message):
        build()


@pytest.mark.parametrize(
    "description",
    [
        sl.CountSketch(row_weights=True),
        sl.HeadTail(tail=sl.CountSketch(decay="global"), rows="frequent"),
    ],
    ids=["row weights", "found head"],
)
def test_what_cannot_be_merged(description):
    with pytest.raises(sl.ConfigurationError, match="cannot merge"):
        allocate(description).merge(allocate(description))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_round_trip(tmp_path, backend):
    """A run that is saved and loaded goes on to the same bits, found head and weights included."""
    description = sl.HeadTail(
        head=0.4,
        tail=sl.CountSketch(compression=2, seed=5),
        rows="frequent",
        row_weights=True,
        every=3,
    )
    assert type(description).from_dict(description.to_dict()) == description
    assert description.with_seed(9).tail.seed == 9

    def build(table):
        return sl.Adam(table, 0.01, m=description, v=sl.Rank1(), clip="feasible", backend=backend)

    rng = np.random.default_rng(0)
    steps = [(rng.integers(0, N, 11), rng.standard_normal((11, DIM))) for _ in range(20)]
    tables = [np.ones((N, DIM)) for _ in range(2)]
    whole, first = build(tables[0]), build(tables[1])
    for rows, grads in steps:
        whole.step(grads, rows=rows)
    for rows, grads in steps[:10]:
        first.step(grads, rows=rows)
    first.save(tmp_path / "run.npz")
    second = build(tables[1])
    second.load(tmp_path / "run.npz")
    for rows, grads in steps[10:]:
        second.step(grads, rows=rows)
    np.testing.assert_array_equal(*tables)
