"""Shrunken first moments: what is measured, what follows from it, what is refused."""

import json
import math

import naive
import numpy as np
import pytest
from scipy import integrate, stats

import sketchlab as sl
from sketchlab.rules.feasible import largest_ratio
from sketchlab.stores.shrinkage import median_variance, trust

pytestmark = pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning")

BACKENDS = ["reference", "cpu"]
N, DIM, BETA = 60, 32, 0.9


# ---------------------------------------------------------------- how noisy a median is


def test_variance_of_the_median_in_closed_form():
    root = math.sqrt(3) / math.pi
    known = {1: 1.0, 2: 0.5, 3: 1 - root, 4: (1 + root - 3 / math.pi) / 2}
    for count, variance in known.items():
        assert median_variance(count) == pytest.approx(variance, rel=1e-13)


@pytest.mark.parametrize("count", [3, 5, 7, 21])
def test_variance_of_an_odd_median_by_its_order_statistic(count):
    """The middle value's distribution function is that of a Beta variable at Φ."""
    beta = stats.beta((count + 1) / 2, (count + 1) / 2)
    second = integrate.quad(
        lambda z: z * z * beta.pdf(stats.norm.cdf(z)) * stats.norm.pdf(z), -9, 9
    )
    assert median_variance(count) == pytest.approx(second[0], rel=1e-9)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 9, 10, 16])
def test_variance_of_the_median_as_the_oracle_adds_it_up(count):
    assert median_variance(count) == pytest.approx(naive.median_variance(count), rel=1e-12)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_variance_of_the_median_of_many_draws(count):
    """Within 5 standard errors, of which one is √(2/draws) at most."""
    drawn = np.median(np.random.default_rng(count).standard_normal((count, 400_000)), axis=0)
    allowed = 5 * math.sqrt(2 / drawn.size)
    assert drawn.var() == pytest.approx(median_variance(count), rel=allowed)


def test_the_median_of_many_is_nearly_normal():
    """π/(2·count) for large counts: no quadrature node may miss the density."""
    for count in (400, 401, 10_000):
        assert median_variance(count) == pytest.approx(math.pi / 2 / count, rel=2 / count)


# ---------------------------------------------------------------- what is measured


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_the_measured_part_is_near_the_best_one(depth):
    """Gaussian noise in many columns: f is |m|²/(|m|² + κσ²), and f·y errs as little as it can."""
    rng, dim, rows = np.random.default_rng(depth), 4096, 200
    m = rng.standard_normal((1, dim))
    for deviation in (0.1, 1.0, 4.0):
        noise = deviation * rng.standard_normal((depth, rows, dim))
        readings = m + noise
        kappa = median_variance(depth)
        best = 1 / (1 + kappa * deviation**2)
        assert trust(readings).mean() == pytest.approx(best, abs=0.02)
        shrunken = trust(readings)[:, None] * np.median(readings, axis=0)
        risk = np.square(shrunken - m).sum(axis=1).mean() / np.square(m).sum()
        raw, none = kappa * deviation**2, 1.0
        assert risk <= 1.02 * min(raw, none)
        assert risk == pytest.approx(raw * none / (raw + none), rel=0.03)


def test_products_of_two_readings_are_unbiased_over_hash_functions():
    """Over many sketches the mean of ⟨e_a, e_b⟩ is |m|², though most of a bucket is noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, DIM))
    crosses = []
    for seed in range(2_000):
        sketch = sl.CountSketch(width=8, depth=2, decay="global", seed=seed).allocate(N, DIM, float)
        sketch.update(np.arange(N), x)
        rows = np.array([5])
        first, second = (sketch.signs(rows)[..., None] * sketch.flat_cells[sketch.slots(rows)])[
            :, 0
        ]
        crosses.append(first @ second)
    standard_error = np.std(crosses) / math.sqrt(len(crosses))
    truth = x[5] @ x[5]
    assert abs(np.mean(crosses) - truth) < 4 * standard_error < truth  # it tells |m|² from 0


@pytest.mark.parametrize("dim", [3, DIM])
def test_other_depths_beside_it_change_nothing(dim):
    """A deeper second moment needs more scratch memory, whose rest is no reading of m."""
    tables = [np.zeros((N, dim)) for _ in BACKENDS]
    m = sl.CountSketch(width=6, depth=2, shrink=True)
    v = sl.CountMinSketch(width=9, depth=4, decay="global")
    rng = np.random.default_rng(0)
    opts = [sl.Adam(t, 0.1, m=m, v=v, backend=b) for t, b in zip(tables, BACKENDS)]
    for _ in range(12):
        rows = rng.permutation(N)[:15]
        grads = rng.standard_normal((len(rows), dim))
        for opt in opts:
            opt.step(grads, rows=rows)
    np.testing.assert_allclose(*tables, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- its two ends


def momentum(store, n=N, dim=DIM, dtype=np.float64, **settings):
    """Momentum of rate 1 on a table of zeros: the table is minus the sum of the answers."""
    return sl.Momentum(np.zeros((n, dim), dtype), 1.0, BETA, m=store, **settings)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_without_noise_it_is_the_exact_variable(backend, depth):
    """One row alone in the sketch: all of its past is trusted."""
    rng = np.random.default_rng(0)
    sketch = momentum(sl.CountSketch(width=4, depth=depth, shrink=True), backend=backend)
    exact = momentum(sl.Dense(row_weights=True), backend=backend)
    for step in range(12):
        rows = [7] if step % 3 else []
        grads = rng.standard_normal((len(rows), DIM))
        for opt in (sketch, exact):
            opt.step(grads, rows=rows)
    np.testing.assert_allclose(sketch.table, exact.table, rtol=1e-12)
    np.testing.assert_allclose(sketch.m.query([7]), exact.m.query([7]), rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dim", [1, 3, 16, 100])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_a_row_that_was_never_touched_takes_its_gradient_alone(depth, dim, backend):
    """However full its buckets are: one bucket for all rows, which agree in it."""
    store = sl.CountSketch(width=1, depth=depth, shrink=True)
    opt = momentum(store, dim=dim, backend=backend)
    for _ in range(5):
        opt.step(np.full((N - 1, dim), 3.0), rows=np.arange(N - 1))
    assert not opt.m.query([N - 1]).any()
    opt.step(np.full((1, dim), 2.0), rows=[N - 1])
    full = sum(BETA**age for age in range(6))
    np.testing.assert_allclose(opt.table[N - 1], -2.0 * full, rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_nothing_can_be_trusted_momentum_is_gradient_descent(backend):
    """Row 0 and, far larger, others that agree with it nowhere: cross is negative."""
    store = sl.CountSketch(width=2, depth=2, shrink=True)
    opt = momentum(store, backend=backend)
    live = store.allocate(N, DIM, np.float64)
    signs, buckets = live.signs(np.arange(N)), live.buckets(np.arange(N))
    same = (buckets == buckets[:, :1]).all(axis=0)
    opposite = (signs * signs[:, :1]).prod(axis=0) < 0
    other = np.flatnonzero(same & opposite)[0]
    opt.step(np.ones((2, DIM)), rows=[0, 0])
    opt.step(np.full((1, DIM), 1e3), rows=[other])
    before = opt.table[0].copy()
    opt.step(np.full((1, DIM), 0.5), rows=[0])
    full = 1 + BETA + BETA**2
    np.testing.assert_allclose(opt.table[0] - before, -0.5 * full, rtol=1e-12)


# ---------------------------------------------------------------- numbers of any size


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("dim", [3, 64])
@pytest.mark.parametrize(
    ("dtype", "size"), [("float32", 1e-25), ("float32", 1e25), ("float64", 1e100)]
)
def test_the_unit_of_gradients_does_not_matter(dtype, size, dim, depth, backend):
    """Squares of 1e25 are no float32, those of 1e-25 vanish."""
    store = sl.CountSketch(width=4, depth=depth, shrink=True)
    pair = [momentum(store, dim=dim, dtype=dtype, backend=backend) for _ in range(2)]
    rng = np.random.default_rng(1)
    for _ in range(8):
        rows = rng.choice(N, 9, replace=False)
        grads = rng.standard_normal((9, dim))
        for opt, unit in zip(pair, (1.0, size)):
            opt.step((unit * grads).astype(dtype), rows=rows)
    unit, scaled = (opt.table.astype(float) for opt in pair)
    assert np.abs(unit).max() > 1
    allowed = 1e-4 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(scaled / size, unit, atol=allowed * np.abs(unit).max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [1e153, 3e153, 1e160, 1e300])
def test_squares_beyond_double_precision_spoil_nothing(size, backend):
    opt = momentum(sl.CountSketch(width=4, shrink=True), backend=backend)
    for sign in (1, 1, -1):
        opt.step(np.full((N, DIM), sign * size))
    assert np.isfinite(opt.table).all()
    assert np.isfinite(opt.m.query(np.arange(N))).all()


# ---------------------------------------------------------------- the description


def test_what_it_implies():
    store = sl.CountSketch(shrink=True)
    assert store == sl.CountSketch(shrink=True, row_weights=True, decay="global")
    assert not sl.CountSketch().row_weights
    tail = sl.HeadTail(tail=store)
    assert tail.row_weights
    assert tail == sl.HeadTail(tail=store, row_weights=True)
    assert tail.with_seed(4).tail == sl.CountSketch(shrink=True, seed=4)


@pytest.mark.parametrize(
    "store",
    [
        sl.CountSketch(depth=2, shrink=True, clean=sl.Clean(0.5, 3)),
        sl.HeadTail(tail=sl.CountSketch(shrink=True), rows="frequent"),
    ],
    ids=["sketch", "head and tail"],
)
def test_descriptions_are_values(store):
    assert sl.Dense.from_dict(json.loads(json.dumps(store.to_dict()))) == store
    assert eval(repr(store), vars(sl)) == store
    assert hash(store.with_seed(5).with_seed(0)) == hash(store)


def test_files_from_before_it_existed_can_be_read():
    """A description that does not shrink is written as it always was."""
    assert "shrink" not in sl.CountSketch(row_weights=True).to_dict()
    assert "shrink" not in sl.HeadTail().to_dict()["tail"]
    assert sl.CountSketch(shrink=True).to_dict()["shrink"] is True


def test_it_takes_no_more_memory_than_row_weights():
    sizes = {
        store.allocate(1000, 8).nbytes
        for store in (sl.CountSketch(shrink=True), sl.CountSketch(row_weights=True))
    }
    assert sizes == {4 * (3 * 66 * 8 + 1000)}
    head_tail = sl.HeadTail(tail=sl.CountSketch(shrink=True)).allocate(1000, 8)
    assert head_tail.nbytes == sl.HeadTail(row_weights=True).allocate(1000, 8).nbytes


def table():
    return np.zeros((10, 2))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: sl.CountSketch(shrink=True, depth=1), "depth=1 with shrink=True.*depth=2"),
        (lambda: sl.CountSketch(shrink=True, decay="lazy"), "decay='lazy' with shrink=True"),
        (lambda: sl.CountSketch(shrink=True, decay="bucket"), "decay='bucket' with shrink=True"),
        (lambda: sl.CountSketch(shrink=True, row_weights=False), "row_weights=False with shrink"),
        (lambda: sl.CountSketch(shrink=1), "shrink=1: give True or False"),
        (lambda: sl.CountSketch(row_weights=1), "row_weights=1: give True or False"),
        (
            lambda: sl.HeadTail(tail=sl.CountSketch(shrink=True, clean=sl.Clean(0.5, 3))),
            "leave out clean",
        ),
        (
            lambda: sl.RMSprop(table(), 0.1, v=sl.CountSketch(shrink=True)),
            "v=CountSketch.*first moment.*use CountMinSketch",
        ),
        (
            lambda: sl.Adam(table(), v=sl.HeadTail(tail=sl.CountSketch(shrink=True))),
            "v=HeadTail.*first moment",
        ),
    ],
)
def test_refusals(build, message):
    with pytest.raises(sl.ConfigurationError, match=message):
        build()


def test_count_min_has_none():
    with pytest.raises(TypeError, match="shrink"):
        sl.CountMinSketch(shrink=True)


# ---------------------------------------------------------------- merge, fold, scale, interval


def filled(width, seed=0):
    live = sl.CountSketch(width=width, shrink=True).allocate(N, DIM, np.float64)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        rows = rng.choice(N, 20, replace=False)
        live.advance(rows, rng.standard_normal((20, DIM)), keep=BETA, gain=1.0)
    return live


def test_fold_is_as_if_it_had_been_built_so():
    np.testing.assert_allclose(
        filled(8).fold().query(np.arange(N)), filled(4).query(np.arange(N)), rtol=1e-10
    )


def test_scale_and_decay_do_not_change_what_is_trusted():
    live = filled(8)
    before = live.query(np.arange(N))
    np.testing.assert_allclose(live.scale(0.25).query(np.arange(N)), 0.25 * before, rtol=1e-12)


def test_it_cannot_be_merged():
    with pytest.raises(sl.ConfigurationError, match="row weights"):
        filled(8).merge(filled(8))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("v", [sl.Dense(), sl.Dense(row_weights=True)], ids=["lazy", "weighted"])
def test_the_feasible_interval_holds_all_that_shrunken_exact_moments_reach(v, backend):
    """Each row alone in its buckets: whatever part is trusted, the clip changes nothing.

    Gradients that change their size by orders reach far into the interval.
    """
    rng = np.random.default_rng(3)
    m = sl.CountSketch(width=4096, depth=2, shrink=True, seed=1)
    tables = [np.zeros((6, 2)) for _ in range(2)]
    opts = [
        sl.Adam(t, 0.1, betas=(0.9, 0.99), eps=0, m=m, v=v, clip=clip, backend=backend)
        for t, clip in zip(tables, (None, "feasible"))
    ]
    for _ in range(60):
        rows = np.flatnonzero(rng.random(6) < 0.3)
        grads = rng.standard_normal((len(rows), 2)) * 10.0 ** rng.integers(-3, 4, (len(rows), 2))
        for opt in opts:
            opt.step(grads, rows=rows)
    np.testing.assert_allclose(*tables, rtol=1e-9, atol=1e-9)


def test_the_interval_over_weighted_squares_is_that_of_no_past():
    """f = 0, m = g, and v = g²/Σqˢ where all earlier gradients were zero."""
    betas, steps = (0.9, 0.99), 50
    reached = math.sqrt(sum(betas[1] ** age for age in range(steps)))
    limit = largest_ratio(betas, steps, "shrunken", "weighted")
    assert largest_ratio(betas, steps, "weighted", "weighted") < 0.9 * reached
    assert limit == pytest.approx(reached, rel=2e-4)
