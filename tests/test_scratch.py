"""Memory: steps that allocate nothing, scratch that is as large as the docs say, exact `nbytes`.

NumPy reports its buffers to tracemalloc. Kernels cannot escape it: they are compiled without
Numba's runtime, and one that allocates does not compile.
"""

import tracemalloc
from dataclasses import dataclass

import numba
import numpy as np
import pytest

import sketchlab as sl
from sketchlab.kernels.compile import KERNELS
from sketchlab.kernels.cpu import CPU
from sketchlab.kernels.cpu.advance import CHUNK
from sketchlab.kernels.cpu.sorting import RADIX
from sketchlab.kernels.cpu.workspace import Workspace
from sketchlab.stores.row_wise import RowWiseStore

pytestmark = pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning")

# Bytes for what Python itself makes in a step: tuples, numbers, views of arrays. Half of it was
# seen. One byte for every row of the largest shape would be four times as much.
OBJECTS = 8_000


@dataclass(frozen=True)
class Shape:
    """A table (n, dim) of which a step touches at most k rows."""

    n: int
    dim: int
    k: int


# An array of k, n or dim numbers is larger than OBJECTS in at least one of them.
SHAPES = [Shape(40_000, 4, 30_000), Shape(40_000, 4, 300), Shape(200, 4_096, 60)]
BY_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=str)

CLEAN = sl.Clean(factor=0.5, every=2)
SIGNED = {
    "exact": sl.Dense(),
    "exact, global": sl.Dense(decay="global"),
    "CS lazy": sl.CountSketch(),
    "CS global": sl.CountSketch(decay="global", clean=CLEAN),
    "CS bucket": sl.CountSketch(decay="bucket", depth=4),
}
NON_NEGATIVE = SIGNED | {
    "CMS lazy": sl.CountMinSketch(),
    "CMS global": sl.CountMinSketch(decay="global"),
    "CMS bucket": sl.CountMinSketch(decay="bucket"),
    "CMS conservative": sl.CountMinSketch(conservative=True, clean=CLEAN),
}

# Stores that are smaller than a number for each parameter, or answer by more than their cells.
OTHER = {
    "row weights": ("m", sl.Dense(row_weights=True)),
    "row weights, CS": ("m", sl.CountSketch(row_weights=True)),
    "shrunken": ("m", sl.CountSketch(shrink=True)),
    "shrunken tail": ("m", sl.HeadTail(tail=sl.CountSketch(shrink=True))),
    "head and tail": ("m", sl.HeadTail()),
    "head found": ("m", sl.HeadTail(rows="frequent", every=1_000)),
    "head and tail, row weights": ("m", sl.HeadTail(row_weights=True)),
    "rank 1, lazy": ("v", sl.Rank1()),
    "rank 1, global": ("v", sl.Rank1(decay="global")),
    "row-wise, lazy": ("v", sl.RowWise()),
    "row-wise, global": ("v", sl.RowWise(decay="global")),
    "SM3": ("v", sl.SM3()),
    "quantised": ("m", sl.Quantized()),
    "quantised, unsigned": ("v", sl.Quantized(signed=False, decay="global")),
    "means": ("v", sl.BucketMean(depth=3)),
    "means, depth 5": ("v", sl.BucketMean(depth=5)),
}

# name: optimizer, and the stores of its moments
OPTIMIZERS = {
    "SGD": (sl.SGD, {}),
    **{f"Momentum {m}": (sl.Momentum, {"m": SIGNED[m]}) for m in SIGNED},
    **{f"Adagrad {v}": (sl.Adagrad, {"v": NON_NEGATIVE[v]}) for v in NON_NEGATIVE},
    **{f"RMSprop {v}": (sl.RMSprop, {"v": NON_NEGATIVE[v]}) for v in NON_NEGATIVE},
    **{
        f"Adam {m}, {v}": (sl.Adam, {"m": SIGNED[m], "v": NON_NEGATIVE[v]})
        for m in SIGNED
        for v in NON_NEGATIVE
    },
    "AMSGrad CS global, CMS lazy": (
        sl.AMSGrad,
        {"m": SIGNED["CS global"], "v": NON_NEGATIVE["CMS lazy"]},
    ),
    **{f"Adam {name}": (sl.Adam, {moment: store}) for name, (moment, store) in OTHER.items()},
}


def make(name, shape, dtype=np.float32, backend="cpu"):
    """An optimizer of that name on a table of zeros."""
    optimizer, stores = OPTIMIZERS[name]
    return optimizer(np.zeros((shape.n, shape.dim), dtype), 0.01, **stores, backend=backend)


# ---------------------------------------------------------------- steps


def ascending(rng, n, k):
    """Rows that need no sorting."""
    return np.sort(rng.choice(n, k, replace=False))


def shuffled(rng, n, k):
    """Distinct rows in any order."""
    return rng.choice(n, k, replace=False)


def repeated(rng, n, k):
    """Rows of which most are given twice or more."""
    return rng.integers(0, max(1, k // 2), k)


def every(rng, n, k):
    """No rows: a dense step."""


def steps(shape, kinds, shares, seed, dtype=np.float32):
    """List of (gradients, rows): for each share of k, and each kind of rows, one step."""
    rng = np.random.default_rng(seed)
    made = []
    for share in shares:
        for kind in kinds:
            rows = kind(rng, shape.n, int(share * shape.k))
            size = shape.n if rows is None else len(rows)
            made.append((rng.standard_normal((size, shape.dim), dtype), rows))
    return made


def take(opt, given):
    """Take the steps."""
    for grads, rows in given:
        opt.step(grads, rows=rows)


def largest_peak(opt, given):
    """By how many bytes traced memory grows within a step, at most."""
    largest = 0
    tracemalloc.start()
    try:
        for grads, rows in given:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            opt.step(grads, rows=rows)
            largest = max(largest, tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    return largest


# ---------------------------------------------------------------- nothing in steady state

SPARSE = (ascending, shuffled, repeated)
ALL = (*SPARSE, every)


def steady_peak(opt, shape, kinds=ALL):
    """The largest peak after some steps of the largest size: at that size, and below it.

    One step on few rows loads what only such steps need.
    """
    warm = steps(shape, kinds, [1, 1, 0.01], seed=1)
    take(opt, warm)
    return largest_peak(opt, warm + steps(shape, kinds, [0.8, 0.3, 0.01, 0], seed=2))


@BY_SHAPE
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_allocates_nothing(name, shape):
    """Whatever k: one and the same small number of bytes, for Python's objects."""
    assert steady_peak(make(name, shape), shape) < OBJECTS


@pytest.mark.parametrize("kinds", [[kind] for kind in ALL], ids=lambda kinds: kinds[0].__name__)
def test_nor_where_the_rows_are_of_one_kind(kinds):
    """No kind of rows relies on the scratch memory that another has made."""
    for shape in SHAPES:
        assert steady_peak(make("Adam CS lazy, CMS lazy", shape), shape, kinds) < OBJECTS


class Wasteful(CPU):
    """A backend that makes an array in every step, of the size and dtype that a function says."""

    def __init__(self, size, dtype):
        super().__init__()
        self._size, self._dtype = size, dtype

    def step(self, rule, scalars, table, given, stores, ready):
        np.empty(self._size(*table.shape, len(given.grads)), self._dtype)
        super().step(rule, scalars, table, given, stores, ready)


@pytest.mark.parametrize("dtype", [np.bool_, np.float32])
@pytest.mark.parametrize(
    "size",
    [lambda n, dim, k: k * dim, lambda n, dim, k: k, lambda n, dim, k: n],
    ids=["k·d", "k", "n"],
)
def test_an_allocation_is_seen(size, dtype):
    opt = make("SGD", SHAPES[0], backend=Wasteful(size, dtype))
    assert steady_peak(opt, SHAPES[0], SPARSE) > OBJECTS


def test_an_allocation_of_a_row_is_seen():
    opt = make("SGD", SHAPES[2], backend=Wasteful(lambda n, dim, k: dim, np.float32))
    assert steady_peak(opt, SHAPES[2], SPARSE) > OBJECTS


def test_kernels_cannot_allocate():
    """They have no runtime to allocate by: a kernel that would does not compile."""
    assert KERNELS
    assert all(kernel.targetoptions["_nrt"] is False for kernel in KERNELS)
    with pytest.raises(numba.TypingError):
        numba.njit(lambda size: np.empty(size)[0], _nrt=False)(3)


def test_scratch_grows_in_few_steps():
    """Where ever more rows turn out to be distinct, arrays get room to spare: few are made."""
    shape, rng = SHAPES[0], np.random.default_rng(3)
    opt = make("Adam CS lazy, CMS lazy", shape)
    made = {("slots", 0): [], "change": [], "counted": []}  # kept, so that no address is used again
    for k in range(10_000, 12_000, 50):
        rows = ascending(rng, shape.n, k)
        opt.step(rng.standard_normal((k, shape.dim), np.float32), rows=rows)
        kept = {name: array for (name, _), array in opt._backend._space.scratch._buffers.items()}
        kept["counted"] = opt._backend._space._counted
        for name, before in made.items():
            if not any(kept[name] is other for other in before):
                before.append(kept[name])
    assert {name: len(arrays) for name, arrays in made.items()} == dict.fromkeys(made, 3)
    assert bytes_kept(opt) <= 9 / 8 * bytes_said(opt, [ascending], k, k)


@dataclass(frozen=True)
class Spelled(sl.RowWise):
    """A store that no kernel knows: its own NumPy code advances it, and answers."""

    def _live(self, n, dim, dtype, zeros):
        return SpelledStore(self, n, dim, dtype, zeros)


class SpelledStore(RowWiseStore):
    """The mean of a row, in the simplest code, and how many steps it has taken."""

    taken = 0

    def advance(self, rows, values, keep, gain, squared=False):
        """The rows' means."""
        self.values[rows] = keep * self.values[rows] + gain * (values**2).mean(axis=1)
        self.taken += 1


@BY_SHAPE
def test_a_store_that_kernels_do_not_know_allocates_for_the_active_rows_alone(shape):
    """O(k·d), however large the table."""
    opt = sl.RMSprop(np.zeros((shape.n, shape.dim), np.float32), 0.01, v=Spelled())
    given = steps(shape, SPARSE, [1, 1], seed=1)
    take(opt, given)
    assert opt.v.taken == len(given)
    assert OBJECTS < largest_peak(opt, given) < 4 * 4 * shape.k * (shape.dim + 8) + OBJECTS


# ---------------------------------------------------------------- what is kept


def arrays_in(thing, seen=None):
    """{identity: array} of all memory that an object reaches through what it is made of."""
    seen = {} if seen is None else seen
    if isinstance(thing, np.ndarray):
        while isinstance(thing.base, np.ndarray):
            thing = thing.base
        seen[id(thing)] = thing
        return seen
    if isinstance(thing, dict):
        parts = thing.values()
    elif isinstance(thing, (tuple, list)):
        parts = thing
    else:
        ours = type(thing).__module__.startswith(("sketchlab.", __name__))
        parts = vars(thing).values() if ours and hasattr(thing, "__dict__") else ()
    for part in parts:
        arrays_in(part, seen)
    return seen


def bytes_kept(opt):
    """Bytes of the arrays that a backend holds and that are not its optimizer's own."""
    known = arrays_in([opt.table, opt.m, opt.v, opt.v_max])
    return sum(array.nbytes for key, array in arrays_in(opt._backend).items() if key not in known)


def is_written_down(store):
    """Whether the backend writes down the changes of all rows before it makes the first."""
    return store.decay == "lazy" or getattr(store, "conservative", False)


def bytes_said(opt, kinds, k, distinct):
    """What docs/stores.md says of the memory that is kept after steps on k rows.

    Parameters
    ----------
    kinds : tuple
        Kinds of rows that the steps had.
    distinct : int
        Largest number of distinct rows of a step.
    """
    itemsize, dim, threads = opt.dtype.itemsize, opt.table.shape[1], numba.get_num_threads()
    sketches = [s for s in (opt.m, opt.v) if isinstance(s, sl.stores.cells.CellStore)]
    sketches = [store for store in sketches if not store.private]
    depth, depths = max((s.depth for s in sketches), default=0), sum(s.depth for s in sketches)
    moments = len(opt.rule.moments)
    row = 8 + 9 * depths
    written = sum(map(is_written_down, sketches))
    row += itemsize * dim * (min(written, 1) if distinct * dim > 2**22 else written)
    fixed = threads * (2 + moments + depth) * max(dim, 512) * itemsize
    fixed += 2 * threads * CHUNK * 8 * depths
    fixed += sum(4 * len(store.flat_cells) for store in sketches if store.decay == "bucket")
    said = row * distinct + fixed
    if shuffled in kinds or repeated in kinds:
        said += 40 * k + threads * RADIX * 8
    if repeated in kinds:
        said += itemsize * dim * distinct
    return said + 1_000  # arrays of one number


@pytest.fixture(autouse=True)
def two_threads():
    """At most two threads, so that what each of them keeps does not hide what rows take."""
    threads = numba.get_num_threads()
    numba.set_num_threads(min(2, threads))
    yield
    numba.set_num_threads(threads)


KEPT = [
    "SGD",
    "Momentum CS lazy",
    "RMSprop CMS conservative",
    "Adam exact, exact",
    "Adam exact, CMS global",
    "Adam CS lazy, CMS lazy",
    "Adam CS lazy, CMS global",
    "Adam CS global, CMS conservative",
    "Adam CS global, CMS global",
    "Adam CS bucket, CMS bucket",
    "AMSGrad CS global, CMS lazy",
]
WIDE = [Shape(40_000, 4, 30_000), Shape(20_000, 64, 10_000), Shape(3_000, 2_048, 2_500)]


def kept_and_said(name, shape, kinds, dtype=np.float32, backend="cpu"):
    """Bytes of scratch memory after some steps of each kind, and those in the docs."""
    opt = make(name, shape, dtype, backend)
    given = steps(shape, kinds, [1, 0.5], seed=4, dtype=dtype)
    take(opt, given + given)
    distinct = max(shape.n if rows is None else len(np.unique(rows)) for _, rows in given)
    return bytes_kept(opt), bytes_said(opt, kinds, shape.k, distinct)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("shape", WIDE, ids=str)
@pytest.mark.parametrize("name", KEPT)
def test_scratch_is_as_large_as_the_docs_say(name, shape, kind):
    """No larger, and the docs do not say much too much; the last shape has large steps."""
    kept, said = kept_and_said(name, shape, (kind,))
    assert 0.6 * said < kept <= said


def test_scratch_of_double_precision():
    kept, said = kept_and_said("Adam CS lazy, CMS lazy", WIDE[1], (repeated,), np.float64)
    assert 0.6 * said < kept <= said


class Hoard(Workspace):
    """Twice the scratch memory of sketches."""

    def _scratch_of(self, views, k, *others):
        return super()._scratch_of(views, 2 * k, *others)


class Hoarder(CPU):
    """A backend that keeps it."""

    def __init__(self):
        super().__init__()
        self._space = Hoard()


@pytest.mark.parametrize("shape", WIDE, ids=str)
def test_larger_scratch_is_seen(shape):
    kept, said = kept_and_said("Adam CS lazy, CMS lazy", shape, (ascending,), backend=Hoarder())
    assert kept > said


# ---------------------------------------------------------------- what nbytes says

HASH_CONSTANTS = 3 * 4 * 8  # of depth 3

# store of (n, 6) float32, and bytes of arrays that it holds beside what `nbytes` counts
STATES = [
    (sl.Dense(), 0),
    (sl.Dense(row_weights=True), 0),
    (sl.CountSketch(), HASH_CONSTANTS),
    (sl.CountSketch(row_weights=True), HASH_CONSTANTS),
    (sl.CountMinSketch(), HASH_CONSTANTS),
    (sl.CountMinSketch(conservative=True), HASH_CONSTANTS),
    (sl.HeadTail(), HASH_CONSTANTS),
    (sl.HeadTail(row_weights=True), HASH_CONSTANTS),
    (sl.HeadTail(rows="frequent"), HASH_CONSTANTS),
    (sl.Rank1(), 0),
    (sl.Rank1SVD(), 0),
    (sl.RowWise(), 0),
    (sl.SM3(), 0),
    # the numbers of the 256 codes, and of the lines by which codes are found
    (sl.Quantized(), 4 * (256 + 2 * 7)),
    (sl.Quantized(signed=False), 4 * (256 + 2 * 8)),
    (sl.BucketMean(), 2 * HASH_CONSTANTS),
]


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize(("description", "beside"), STATES, ids=repr)
def test_nbytes_is_all_that_a_store_holds(description, beside, backend):
    """Before a step and after some: no array that `nbytes` leaves out, but constants."""
    kept = {"m" if description.signed else "v": description}
    opt = sl.Adam(np.zeros((1_000, 6), np.float32), **kept, backend=backend)
    store = opt.m if description.signed else opt.v
    for _ in range(3):
        held = sum(array.nbytes for array in arrays_in(store).values())
        assert held == store.nbytes + beside
        take(opt, steps(Shape(1_000, 6, 80), ALL, [1], seed=5))
