"""Bad input: one clear error that names what was given, before anything is changed."""

import numpy as np
import pytest

import sketchlab as sl

TABLE = (10, 4)


def adam(**arguments):
    """An Adam with some state, on a table of ones."""
    table = np.ones(TABLE, np.float32)
    opt = sl.Adam(table, 0.1, m=sl.CountSketch(width=4), v=sl.CountMinSketch(width=4), **arguments)
    opt.step(np.ones((2, 4)), rows=[1, 2])
    return opt


class Refusing:
    """What a tensor does that NumPy cannot see: bfloat16, sparse, on the meta device, with grad."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error("Got unsupported ScalarType bfloat16")


BAD_STEPS = {
    "negative row": (np.ones((2, 4)), [0, -1], r"rows\[1\] = -1"),
    "row too large": (np.ones((2, 4)), [0, 10], r"rows\[1\] = 10.*0 to 9"),
    "huge unsigned row": (
        np.ones((1, 4)),
        np.array([2**64 - 1], np.uint64),
        "18446744073709551615",
    ),
    "rows not integer": (np.ones((1, 4)), [0.0], "float64"),
    "rows a mask": (np.ones((1, 4)), [True], "bool"),
    "rows two-dimensional": (np.ones((1, 4)), [[0]], r"\(1, 1\)"),
    "ragged rows": (np.ones((1, 4)), [[0], [1, 2]], "rows"),
    "fewer gradients than rows": (np.ones((1, 4)), [0, 1], r"\(1, 4\).*\(2, 4\)"),
    "wrong number of columns": (np.ones((2, 3)), [0, 1], r"\(2, 3\).*\(2, 4\)"),
    "gradients for no rows": (np.ones((2, 4)), [], r"\(2, 4\).*\(0, 4\)"),
    "dense gradient of another shape": (np.ones((4, 10)), None, r"\(4, 10\).*\(10, 4\)"),
    "complex gradient": (np.ones((1, 4), complex), [0], "complex128"),
    "text": (np.full((1, 4), "a"), [0], "dtype"),
    "ragged gradients": ([[1.0, 2.0], [1.0]], [0, 1], "grads"),
    "masked gradients": (
        np.ma.masked_equal(np.ones((2, 4)), 1),
        [0, 1],
        r"grads: a masked.*filled",
    ),
    "masked rows": (np.ones((2, 4)), np.ma.masked_equal([0, 1], 1), "rows: a masked array"),
    "gradients that refuse": (Refusing(RuntimeError), [0], "grads: a Refusing.*tensor.detach"),
    "rows that refuse": (np.ones((1, 4)), Refusing(TypeError), "rows: a Refusing.*bfloat16"),
}


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("case", BAD_STEPS)
def test_a_bad_step_changes_nothing(case, backend):
    grads, rows, message = BAD_STEPS[case]
    opt = adam(backend=backend)
    table, state = opt.table.copy(), opt.state_dict()
    with pytest.raises(sl.InputError, match=message):
        opt.step(grads, rows=rows)
    np.testing.assert_array_equal(opt.table, table)
    for key, value in opt.state_dict().items():
        np.testing.assert_array_equal(value, state[key], err_msg=key)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_is_refused_where_it_is_checked(value):
    grads = np.ones((2, 4))
    grads[1, 3] = value
    for opt in (adam(backend="reference"), adam(backend="cpu")):
        table = opt.table.copy()
        with pytest.raises(sl.InputError, match=r"grads\[1, 3\]"):
            opt.step(grads, rows=[0, 1])
        np.testing.assert_array_equal(opt.table, table)
        assert opt.step_count == 1
    for backend in ("reference", "cpu"):
        unchecked = adam(backend=backend, check_finite=False)
        unchecked.step(grads, rows=[0, 1])
        assert unchecked.step_count == 2


LARGE = (200, 100)  # where threads look for what is not finite


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("at", [(0, 0), (199, 99), (57, 3)])
def test_one_number_that_is_not_finite_is_found_among_many(value, dtype, at):
    opt = sl.RMSprop(np.zeros(LARGE, dtype), 0.1, v=sl.CountMinSketch())
    grads = np.full(LARGE, np.finfo(dtype).max)
    grads[at] = value
    with pytest.raises(sl.InputError, match=rf"grads\[{at[0]}, {at[1]}\] = {value}"):
        opt.step(grads)
    assert not opt.table.any()


SHARING = {
    "CountMinSketch": True,
    "HeadTail": True,
    "Rank1": True,
    "SM3": True,
    "BucketMean": True,
    "Dense": False,
    "RowWise": False,
    "Quantized": False,
}


@pytest.mark.parametrize("kind", SHARING)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_gradients_are_checked_where_rows_share_what_is_kept(kind, backend):
    """There one NaN would reach other rows; elsewhere it spoils the row that was given it."""
    settings = {"tail": sl.CountMinSketch(), "head": 0.0} if kind == "HeadTail" else {}
    store = getattr(sl, kind)(**settings)
    opt = sl.RMSprop(np.ones((100, 2), np.float32), 0.1, v=store, backend=backend)
    assert opt.check_finite == (SHARING[kind] or backend == "reference")
    grads = np.full((1, 2), np.nan)
    if opt.check_finite:
        with pytest.raises(sl.InputError, match="must be finite"):
            opt.step(grads, rows=[3])
        assert (opt.table == 1).all()
        opt.check_finite = False
    opt.step(grads, rows=[3])
    opt.step(np.ones((100, 2)))
    spoiled = np.isnan(opt.table).any(axis=1)
    assert spoiled[3]
    assert (spoiled.sum() > 1) == SHARING[kind]


def read_only():
    table = np.ones(TABLE, np.float32)
    table.flags.writeable = False
    return table


BAD_TABLES = {
    "a list": ([[1.0]], "list"),
    "integers": (np.ones(TABLE, np.int32), "int32"),
    "half precision": (np.ones(TABLE, np.float16), "float16"),
    "foreign byte order": (np.ones(TABLE, ">f4"), ">f4"),
    "transposed": (np.ones(TABLE, np.float32).T, "contiguous"),
    "strided": (np.ones(TABLE, np.float32)[:, ::2], "contiguous"),
    "read-only": (read_only(), "read-only"),
    "no dimension": (np.ones((), np.float32), r"\(\)"),
    "no rows": (np.ones((0, 3), np.float32), r"\(0, 3\)"),
    "no columns": (np.ones((3, 0), np.float32), r"\(3, 0\)"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_table_that_cannot_be_updated_in_place_is_refused(case):
    table, message = BAD_TABLES[case]
    with pytest.raises(sl.InputError, match=message):
        sl.SGD(table, 0.1)


def table():
    return np.ones(TABLE, np.float32)


BAD_CONFIGURATIONS = {
    "count-min for momentum": (
        lambda: sl.Momentum(table(), 0.1, m=sl.CountMinSketch()),
        "CountMinSketch holds non-negative.*Momentum's m is signed: use CountSketch",
    ),
    "rank-1 for Adam's m": (lambda: sl.Adam(table(), m=sl.Rank1()), "Rank1 holds non-negative"),
    "SM3 for momentum": (lambda: sl.Momentum(table(), 0.1, m=sl.SM3()), "SM3 holds non-negative"),
    "unsigned codes for momentum": (
        lambda: sl.Momentum(table(), 0.1, m=sl.Quantized(signed=False)),
        "signed=False.*Momentum's m is signed",
    ),
    "no store": (lambda: sl.Adam(table(), v="dense"), "v='dense'"),
    "a class": (lambda: sl.Adam(table(), v=sl.Dense), "Dense"),
    "unknown backend": (lambda: sl.SGD(table(), 0.1, backend="tpu"), "'tpu'.*'reference'"),
    "negative lr": (lambda: sl.SGD(table(), -0.1), "lr=-0.1"),
    "lr not finite": (lambda: sl.SGD(table(), np.nan), "lr=nan"),
    "lr a string": (lambda: sl.SGD(table(), "fast"), "lr='fast'"),
    "beta of one": (lambda: sl.RMSprop(table(), 0.1, beta=1.0), "beta=1.0"),
    "one beta": (lambda: sl.Adam(table(), betas=0.9), "betas=0.9"),
    "three betas": (lambda: sl.Adam(table(), betas=(0.9, 0.9, 0.9)), "two numbers"),
    "second beta": (lambda: sl.Adam(table(), betas=(0.9, -0.1)), r"betas\[1\]=-0.1"),
    "momentum": (lambda: sl.Momentum(table(), 0.1, momentum=2), "momentum=2"),
    "eps": (lambda: sl.Adagrad(table(), 0.1, eps=-1), "eps=-1"),
    "depth": (lambda: sl.CountSketch(depth=0), "depth=0"),
    "depth not whole": (lambda: sl.CountSketch(depth=2.5), "depth=2.5"),
    "width": (lambda: sl.CountSketch(width=0), "width=0"),
    "width too large": (lambda: sl.CountSketch(width=2**32), "width=4294967296"),
    "expansion": (lambda: sl.CountMinSketch(compression=0.5), "compression=0.5"),
    "compression not finite": (lambda: sl.CountSketch(compression=np.inf), "compression=inf"),
    "decay": (lambda: sl.CountSketch(decay="slow"), "decay='slow'.*'lazy'"),
    "bucket decay of the exact": (lambda: sl.Dense(decay="bucket"), "decay='bucket'"),
    "bucket decay of rank-1": (lambda: sl.Rank1(decay="bucket"), "decay='bucket'"),
    "bucket decay of rows": (lambda: sl.RowWise(decay="bucket"), "decay='bucket'"),
    "lazy decay of SM3": (lambda: sl.SM3(decay="lazy"), "decay='lazy'.*use decay='global'"),
    "bucket decay of SM3": (lambda: sl.SM3(decay="bucket"), "decay='bucket'"),
    "four bits": (lambda: sl.Quantized(bits=4), "bits=4: choose one of 8"),
    "empty blocks": (lambda: sl.Quantized(block=0), "block=0"),
    "signed not a bool": (lambda: sl.Quantized(signed=None), "signed=None"),
    "depth of means": (lambda: sl.BucketMean(depth=0), "depth=0"),
    "conservative and lazy": (
        lambda: sl.CountMinSketch(conservative=True, decay="lazy"),
        "decay='lazy' with conservative=True",
    ),
    "conservative not a bool": (lambda: sl.CountMinSketch(conservative="no"), "conservative='no'"),
    "negative seed": (lambda: sl.CountSketch(seed=-1), "seed=-1"),
    "seed too large": (lambda: sl.CountSketch(seed=2**64), "seed="),
    "seed not whole": (lambda: sl.CountSketch(seed=0.5), "seed=0.5"),
    "clean": (lambda: sl.CountSketch(clean=0.2), "clean=0.2"),
    "clean factor": (lambda: sl.Clean(factor=2, every=1), "clean.factor=2"),
    "clean every": (lambda: sl.Clean(factor=0.5, every=0), "clean.every=0"),
    "no rows": (lambda: sl.Dense().allocate(n=0, dim=1), "n=0"),
    "too many rows": (lambda: sl.CountSketch().allocate(n=2**32 + 1, dim=1), "n=4294967297"),
    "no columns": (lambda: sl.Dense().allocate(n=1, dim=0), "dim=0"),
    "half-precision store": (lambda: sl.Dense().allocate(1, 1, np.float16), "float16"),
    "unknown kind": (lambda: sl.Dense.from_dict({"kind": "Sparse"}), "kind='Sparse'.*Dense"),
}


@pytest.mark.parametrize("case", BAD_CONFIGURATIONS)
def test_a_configuration_that_makes_no_sense_is_refused(case):
    build, message = BAD_CONFIGURATIONS[case]
    with pytest.raises(sl.ConfigurationError, match=message):
        build()


def test_a_new_learning_rate_is_checked_and_the_old_one_kept():
    opt = adam()
    with pytest.raises(sl.ConfigurationError, match="lr=-1"):
        opt.lr = -1
    assert opt.lr == 0.1


def test_the_family_can_be_caught_at_once():
    for error in (sl.ConfigurationError, sl.InputError, sl.CheckpointError, sl.BackendError):
        assert issubclass(error, sl.SketchlabError)
    assert issubclass(sl.ConfigurationError, ValueError)
    assert issubclass(sl.InputError, ValueError)


@pytest.mark.parametrize(
    ("description", "n", "dim", "warned"),
    [
        (sl.CountSketch(width=4, depth=3), 12, 2, False),
        (sl.CountSketch(width=4, depth=3), 11, 2, True),
        (sl.CountMinSketch(), 2, 2, True),
        (sl.Rank1(), 10, 1, True),
        (sl.Rank1(), 10, 2, False),
        (sl.Dense(), 1, 1, False),
        (sl.RowWise(), 10, 1, False),
        (sl.Quantized(), 10, 1, True),
        (sl.Quantized(), 10, 2, False),
        (sl.BucketMean(width=9, depth=1), 10, 9, False),
        (sl.BucketMean(width=10, depth=1), 10, 9, True),
    ],
)
def test_a_store_larger_than_the_exact_variable_is_warned_about(
    description, n, dim, warned, recwarn
):
    store = description.allocate(n, dim)
    sizes = [w for w in recwarn if issubclass(w.category, sl.StoreSizeWarning)]
    assert bool(sizes) == warned == (store.nbytes > n * dim * 4)
    if warned:
        assert f"{store.nbytes} bytes" in str(sizes[0].message)


BAD_STORE_CALLS = {
    "row": (lambda sk: sk.query([99]), sl.InputError, r"rows\[0\] = 99"),
    "buckets of a bad row": (lambda sk: sk.buckets([-1]), sl.InputError, "-1"),
    "signs of a bad row": (lambda sk: sk.signs([20]), sl.InputError, "20"),
    "shape": (lambda sk: sk.update([1], [[1.0]]), sl.InputError, r"\(1, 1\).*\(1, 2\)"),
    "negative value": (lambda sk: sk.update([1], [[-1.0, 0]]), sl.InputError, "non-negative"),
    "negative scale": (lambda sk: sk.scale(-1), sl.ConfigurationError, "factor=-1"),
    "other seed": (
        lambda sk: sk.merge(sl.CountMinSketch(width=5, seed=1).allocate(20, 2)),
        sl.ConfigurationError,
        "cannot merge",
    ),
    "other kind": (
        lambda sk: sk.merge(sl.CountSketch(width=5).allocate(20, 2)),
        sl.ConfigurationError,
        "cannot merge",
    ),
    "no store": (lambda sk: sk.merge(3), sl.ConfigurationError, "cannot merge 3"),
    "odd fold": (lambda sk: sk.fold(), sl.ConfigurationError, "width=5 is odd"),
}


@pytest.mark.parametrize("case", BAD_STORE_CALLS)
def test_a_bad_call_of_a_store_changes_nothing(case):
    call, error, message = BAD_STORE_CALLS[case]
    sk = sl.CountMinSketch(width=5).allocate(20, 2)
    sk.update([1, 2], [[1, 2], [3, 4]])
    before = sk.table.copy()
    with pytest.raises(error, match=message):
        call(sk)
    np.testing.assert_array_equal(sk.table, before)
