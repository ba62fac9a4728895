"""Whoever copies, moves or reloads an optimizer gets one that trains."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import battery
import numpy as np
import pytest
from battery import Shape, build, initial_table, stream

import sketchlab as sl

pytestmark = pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning")

SHAPE = Shape(20, 3, 3, 5)
# every store once, and the optimizers that meet two
SIGNED = [f"Momentum {m}" for m in battery.SIGNED + battery.SHRUNKEN]
NON_NEGATIVE = [f"RMSprop {v}" for v in battery.NON_NEGATIVE + battery.COMPACT]
CASES = [
    "SGD",
    *SIGNED,
    *NON_NEGATIVE,
    "Adam q8-global sm3",
    "Adam clip cs-global cms-conservative",
]
COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
}


def state_of(opt):
    return {key: np.copy(value) for key, value in opt.state_dict().items()} | {
        "table": opt.table.copy()
    }


def assert_same(left, right):
    assert left.keys() == right.keys()
    for key in left:
        np.testing.assert_array_equal(left[key], right[key], err_msg=key)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("case", CASES)
def test_a_copy_goes_on_to_the_same_bits_on_a_table_of_its_own(case, how, backend):
    steps = stream(SHAPE)
    opt = build(battery.ours, case, SHAPE, initial_table(SHAPE), backend=backend)
    for grads, rows in steps[:6]:
        opt.step(grads, rows=rows)
    other = COPIES[how](opt)
    before = state_of(opt)
    for grads, rows in steps[6:14]:
        other.step(grads, rows=rows)
    assert_same(state_of(opt), before)  # the original has not moved
    for grads, rows in steps[6:14]:
        opt.step(grads, rows=rows)
    assert_same(state_of(opt), state_of(other))
    assert not np.array_equal(opt.table, before["table"])


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("how", COPIES)
def test_a_pair_stays_tied(how, backend):
    table = np.zeros((4, 2), np.float32)
    pair = table, sl.Adam(table, 1.0, m=sl.CountSketch(width=2), backend=backend)
    copied, opt = COPIES[how](pair)
    opt.step(np.ones((4, 2)))
    assert opt.table is copied
    assert copied.any()
    assert not table.any()


def test_a_shallow_copy_has_a_state_of_its_own_on_the_same_table():
    table = np.zeros((4, 2), np.float32)
    opt = sl.Momentum(table, 1.0)
    opt.step(np.ones((4, 2)))
    other = copy.copy(opt)
    assert other.table is table
    assert other.m is not opt.m
    other.step(np.ones((4, 2)))
    assert (table == -1 - 1.9).all()
    assert (opt.step_count, other.step_count) == (1, 2)
    assert (opt.m.query([0]) == 1).all()


def test_a_torn_optimizer_is_copied_as_torn(monkeypatch):
    opt = sl.Momentum(np.zeros((4, 2), np.float32), 1.0)
    monkeypatch.setattr(opt.m, "end_step", lambda step: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        opt.step(np.ones((4, 2)))
    monkeypatch.undo()
    with pytest.raises(sl.TornStepError):
        copy.deepcopy(opt).step(np.ones((4, 2)))


def test_hyper_parameters_are_copied():
    opt = sl.Adam(np.zeros((4, 2), np.float32), 0.5, betas=(0.5, 0.25), weight_decay=0.125)
    opt.lr, opt.eps = 0.25, 0.5
    other = pickle.loads(pickle.dumps(opt))
    assert (other.lr, other.betas, other.eps) == (0.25, (0.5, 0.25), 0.5)
    assert (other.weight_decay, other.check_finite) == (0.125, opt.check_finite)


@pytest.mark.parametrize("kind", ["CountSketch", "CountMinSketch", "HeadTail"])
def test_live_stores_are_copied(kind):
    store = getattr(sl, kind)().allocate(n=100, dim=2)
    store.update([3, 90], [[1.0, 2.0], [3.0, 4.0]])
    other = copy.deepcopy(store)
    before = store.query([3, 90])
    other.update([3, 90], [[1.0, 1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(store.query([3, 90]), before)
    assert (other.query([3, 90]) > before).all()


def test_another_process_takes_over(tmp_path):
    table = np.zeros((30, 2), np.float32)
    opt = sl.Adam(table, 0.1, m=sl.CountSketch(width=4), v=sl.CountMinSketch(width=4))
    opt.step(np.ones((2, 2)), rows=[3, 8])
    (tmp_path / "pair.pickle").write_bytes(pickle.dumps((table, opt)))
    program = (
        "import pickle, sys, numpy as np\n"
        "table, opt = pickle.load(open(sys.argv[1], 'rb'))\n"
        "opt.step(np.ones((2, 2)), rows=[3, 8])\n"
        "np.save(sys.argv[2], table)\n"
    )
    arguments = tmp_path / "pair.pickle", tmp_path / "table.npy"
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True, cwd=root)
    opt.step(np.ones((2, 2)), rows=[3, 8])
    np.testing.assert_array_equal(np.load(arguments[1]), table)


# --- another table ---


def test_another_table_takes_the_place_of_the_first():
    opt = sl.Momentum(np.zeros((4, 2), np.float32), 1.0)
    opt.step(np.ones((4, 2)))
    first, second = opt.table, np.zeros((4, 2), np.float32)
    opt.table = second
    opt.step(np.ones((4, 2)))
    assert (first == -1).all()
    assert (second == -1.9).all()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.zeros((5, 2), np.float32), r"shape \(5, 2\).*\(4, 2\)"),
        (np.zeros((8,), np.float32), r"shape \(8,\)"),
        (np.zeros((4, 2)), "dtype float64.*float32"),
        (np.zeros((2, 4), np.float32).T, "contiguous"),
        ([[0.0]], "list"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(other, message):
    opt = sl.SGD(np.zeros((4, 2), np.float32), 1.0)
    table = opt.table
    with pytest.raises(sl.InputError, match=message):
        opt.table = other
    opt.step(np.ones((4, 2)))
    assert (table == -1).all()
