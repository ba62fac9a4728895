"""The battery on device arrays, as the simulator and a real GPU run it.

Not collected by itself: `test_simulator.py` runs this file in a process with the simulator,
`test_gpu.py` takes its tests over where there is a GPU.
"""

import copy
import pickle
from functools import cache
from itertools import product

import battery
import naive
import numpy as np
import pytest
import test_other_stores
import test_two_bytes
from agreement import assert_agree
from battery import Shape, build, initial_table, stream

import sketchlab as sl
from analysis.experiments import gpu_speed
from analysis.timing import gpu_events
from sketchlab.kernels.cuda import CUDA, driver
from sketchlab.kernels.cuda.arrays import as_device, zeros
from sketchlab.kernels.cuda.launcher import Launcher, machine_here
from sketchlab.kernels.cuda.memory import allocate
from sketchlab.kernels.cuda.sorting import RowKeys, Sorter
from sketchlab.kernels.scratch import Scratch
from sketchlab.stores import two_bytes

pytestmark = [
    pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning"),
    # 64-bit hashes wrap; the simulator's threads do not see errstate
    pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning"),
]

# Every simulated thread is one of the operating system's: one of each kind of step must do there.
STEPS = 10 if driver.simulated() else battery.STEPS
SHAPES = [Shape(8, 1, 3, 3), Shape(7, 3, 4, 2), Shape(6, 33, 3, 2), Shape(9, 2, 1, 4)]
DIMS = [1, 3, 31, 33, 100, 1000, 1025, 4096]
# a head that is found while running is found on the host
CASES = [
    case for case in battery.CASES if not {"svd", "found"} & set(case.replace("-", " ").split())
]
SKETCHED = [case for case in CASES if "cs-" in case or "cms-" in case or "mean" in case]


def on_device(array):
    """A copy on the device."""
    return driver.cuda.to_device(np.ascontiguousarray(array))


def step(opt, grads, rows, dtype):
    """One step with everything on the device."""
    rows = rows if rows is None else on_device(rows)
    opt.step(on_device(grads.astype(dtype)), rows=rows)


def run(opt, table, steps):
    """Table and estimates after every step, as `battery.run_ours` records them."""
    rows = np.arange(len(table))
    record = {name: [] for name in ("table", *battery.MOMENTS)}
    for grads, active in steps:
        step(opt, grads, active, opt.dtype)
        record["table"].append(table.copy_to_host())
        for name in battery.MOMENTS:
            if getattr(opt, name) is not None:
                record[name].append(getattr(opt, name).query(rows))
    return battery.Run(**{name: np.stack(all) if all else None for name, all in record.items()})


@cache
def oracle(case, shape):
    """The oracle's run of a case."""
    opt = build(naive.optimizer, case, shape, initial_table(shape))
    return battery.run_naive(opt, stream(shape, STEPS))


def check(case, shape, dtype, deterministic):
    table = on_device(initial_table(shape).astype(dtype))
    opt = build(battery.ours, case, shape, table, backend=CUDA(deterministic=deterministic))
    found = run(opt, table, stream(shape, STEPS))
    battery.assert_runs_agree(found, oracle(case, shape), np.dtype(dtype), f"{case}, {shape}")
    return found


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_oracle(case):
    """Every optimizer, store and decay; the shapes and dtypes take turns."""
    turn = CASES.index(case)
    shapes = [SHAPES[turn % len(SHAPES)]] if driver.simulated() else SHAPES + battery.SHAPES
    dtype = np.float64 if turn % 5 == 4 or "q8" in case else np.float32
    for shape in shapes:
        check(case, shape, dtype, deterministic=False)


@pytest.mark.parametrize("case", SKETCHED[:: 3 if driver.simulated() else 1])
def test_deterministic_mode_agrees_and_repeats_its_bits(case):
    shape = SHAPES[SKETCHED.index(case) % len(SHAPES)]
    first = check(case, shape, np.float32, deterministic=True)
    if not driver.simulated():
        again = check(case, shape, np.float32, deterministic=True)
        assert first.table.tobytes() == again.table.tobytes()


@pytest.mark.parametrize("dim", DIMS)
def test_any_dimension(dim):
    """Nothing depends on multiples of 32 or on the size of a block."""
    shape = Shape(3, dim, 3, 2)
    table = initial_table(shape)
    steps = [(np.full((2, dim), 0.5, np.float32), np.array([2, 0])), (np.ones_like(table), None)]
    case = "Adam cs-lazy cms-bucket"
    expected = battery.run_naive(build(naive.optimizer, case, shape, table), steps)
    there = on_device(table)
    found = run(build(battery.ours, case, shape, there, backend="cuda"), there, steps)
    battery.assert_runs_agree(found, expected, np.dtype("float32"), f"d={dim}")


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint32", "uint64"])
def test_rows_of_any_integer_type(dtype):
    table = on_device(np.zeros((4, 2), np.float32))
    sl.SGD(table, 1.0, backend="cuda").step(
        on_device(np.ones((3, 2), np.float32)), rows=on_device(np.array([3, 1, 3], dtype))
    )
    assert table.copy_to_host()[:, 0].tolist() == [0, -1, 0, -2]


def test_tables_of_other_shapes():
    for shape in [(4,), (4, 2, 3)]:
        table = on_device(np.zeros(shape, np.float32))
        opt = sl.SGD(table, 1.0, backend="cuda")
        opt.step(on_device(np.ones((1, *shape[1:]), np.float32)), rows=on_device(np.array([2])))
        opt.step(on_device(np.ones(shape, np.float32)))
        expected = np.full(shape, -1.0)
        expected[2] -= 1
        assert (table.copy_to_host() == expected).all()


def test_steps_after_the_first_neither_allocate_nor_copy_nor_wait(monkeypatch):
    shape = Shape(30, 3, 3, 4)
    rng = np.random.default_rng(0)
    batches = [
        (on_device(rng.standard_normal((5, 3)).astype(np.float32)), on_device(np.array(rows)))
        for rows in ([4, 1, 4, 0, 9], [1, 2, 3, 4, 5])
    ]
    for case, deterministic in product(
        ("Adam cs-lazy cms-bucket", "Adagrad nmf-lazy", "Adam q8-global sm3", "Adam cs-lazy mean"),
        (False, True),
    ):
        table = on_device(initial_table(shape))
        opt = build(battery.ours, case, shape, table, backend=CUDA(deterministic=deterministic))
        opt.step(batches[0][0], rows=batches[0][1])
        with monkeypatch.context() as patch:
            for name in ("device_array", "to_device", "synchronize"):
                patch.setattr(driver.cuda, name, refuse)
            for name in ("copy_to_host", "copy_to_device"):
                patch.setattr(machine_here(), name, refuse)
            patch.setattr(Launcher, "prepare", refuse)
            for grads, rows in batches:
                opt.step(grads, rows=rows)


# the simulator runs one of each kind of change
TWO_BYTES = list({**test_two_bytes.KINDS, **test_two_bytes.SIGNED}.values())
ANSWERED_FIRST = sl.CountSketch(shrink=True, width=4, cells=test_two_bytes.HALF)


@pytest.mark.parametrize("dim", [3] if driver.simulated() else [3, 33])
@pytest.mark.parametrize("description", [*TWO_BYTES, ANSWERED_FIRST], ids=str)
def test_cells_of_two_bytes_are_the_references(description, dim):
    """To the bit, but where a fused sum of a GPU leaves a float32 that is rounded the other way."""
    tables = [on_device(np.zeros((13, dim), np.float32)), np.zeros((13, dim), np.float32)]
    form, kind = {"v": description}, sl.RMSprop
    if description.signed and isinstance(description, sl.CountSketch):
        form, kind = {"m": description}, sl.Momentum
    there, here = (
        kind(table, 0.1, backend=backend, **form)
        for table, backend in zip(tables, ("cuda", "reference"))
    )
    for grads, rows in test_two_bytes.batches(13, dim, STEPS):
        step(there, grads, rows, np.float32)
        here.step(grads, rows=rows)
    (name,) = form
    found, wanted = (
        two_bytes.widened(np.asarray(getattr(opt, name).cells)) for opt in (there, here)
    )
    assert (found != wanted).mean() <= 0.02
    np.testing.assert_allclose(found, wanted, rtol=2**-6, atol=1e-6)


@pytest.mark.parametrize("conservative", [False, True])
def test_cells_of_two_bytes_are_written_anew_as_on_the_host(conservative):
    form = {"decay": "global", "conservative": conservative, "cells": test_two_bytes.HALF}
    description = sl.CountMinSketch(width=4, **form)
    (there, other), (here, another) = (
        [description.allocate(13, 3, zeros=make) for _ in range(2)]
        for make in (zeros(Launcher()), np.zeros)
    )
    for number, store in enumerate((there, here, other, another)):
        generator = np.random.default_rng(number // 2)
        for _ in range(3):
            values = generator.exponential(size=(13, 3)).astype(np.float32)
            store.advance(np.arange(13), values, 0.7, 1.0)
    for change in (
        lambda store, _: store.settle(),
        lambda store, _: store.scale(0.3),
        lambda store, added: store.merge(added),
        lambda store, _: store.fold(),
    ):
        change(there, other)
        change(here, another)
        assert type(there.cells) is not np.ndarray
        np.testing.assert_array_equal(np.asarray(there.cells), here.cells)
        assert there.multiplier == here.multiplier


def refuse(*arguments, **settings):
    raise AssertionError("a step allocated, copied, waited or prepared a kernel")


# several blocks sort the largest, where threads are not simulated
@pytest.mark.parametrize("size", [1, 2, 37, 200, *([] if driver.simulated() else [5000])])
def test_sort_is_stable(size):
    rng = np.random.default_rng(size)
    ascending = np.arange(size) * (2**20 // size)
    for keys in (rng.integers(0, 5, size), rng.integers(0, 2**20, size), ascending):
        run, there = Launcher(), as_device("keys", on_device(keys)).memory
        sorter = Sorter(run, Scratch(allocate), "test", RowKeys(there, 1 << 20), 21)
        sorter.resize(size)
        right = np.argsort(keys, kind="stable")
        for _ in range(2):
            sorter()
            assert (run.to_host(sorter.order.memory) == right).all()
            assert (run.to_host(sorter.keys.memory) == keys[right]).all()


# -- numbers that are large or zero, copies ----------------------------------------------------


@pytest.mark.parametrize(
    "store", ["dense-global", "cms-conservative", "nmf-lazy", "row-lazy", "mean"]
)
@pytest.mark.parametrize("gradient", [1e20, 0.0, 1e-25])
def test_extreme_gradients_do_what_they_do_on_the_host(store, gradient):
    """A square that would overflow before it is scaled; a second moment of zero without eps."""
    shape = Shape(5, 40, 2, 3)
    tables = []
    for backend in ("cuda", "reference"):
        signed, non_negative = battery.stores(shape, seed=0)
        v = (signed | non_negative | battery.compact_stores(shape, 0))[store]
        table = np.ones((shape.n, shape.dim), np.float32)
        there = on_device(table) if backend == "cuda" else table
        opt = sl.Adam(there, 0.01, eps=0, v=v, backend=backend)
        for value in (gradient, 1.0):
            grads, rows = np.full((1, shape.dim), value, np.float32), np.array([3])
            if backend == "cuda":
                step(opt, grads, rows, np.float32)
            else:
                opt.step(grads, rows=rows)
        tables.append(there.copy_to_host() if backend == "cuda" else table)
    assert np.isfinite(tables[0]).all()
    np.testing.assert_allclose(*tables, rtol=1e-5)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copies_are_refused_with_the_way_out(how):
    opt, _ = live_pair("Adam cs-lazy cms-bucket", Shape(8, 3, 3, 4))
    with pytest.raises(sl.BackendError, match=r"cannot be copied.*state_dict"):
        how(opt)


# -- stores by themselves and checkpoints ------------------------------------------------------


def live_pair(case, shape):
    """The same optimizer on the device and on the host, a few steps old."""
    table = initial_table(shape)
    there = on_device(table)
    pair = (
        build(battery.ours, case, shape, there, backend="cuda"),
        build(battery.ours, case, shape, table, backend="reference"),
    )
    for grads, rows in stream(shape, STEPS)[:3]:
        step(pair[0], grads, rows, np.float32)
        pair[1].step(grads, rows=rows)
    return pair


def assert_equal_stores(there, here, what):
    rows = np.arange(here.n)
    expected = here.query(rows)
    assert_agree(there.query(rows), expected, np.float32, 8, np.abs(expected).max(), what)
    assert there.nbytes == here.nbytes
    assert np.asarray(there.table).shape == here.table.shape


@pytest.mark.parametrize("case", ["Adam cs-lazy cms-bucket", "Adam dense-global dense-global"])
def test_live_stores_answer_as_on_the_host(case):
    there, here = live_pair(case, Shape(8, 3, 3, 4))
    for name in ("m", "v"):
        ours, theirs = getattr(there, name), getattr(here, name)
        assert_equal_stores(ours, theirs, "query")
        for store in (ours, theirs):
            store.update([1, 5, 1], np.ones((3, 3), np.float32))
            store.scale(0.5)
        assert_equal_stores(ours, theirs, "update and scale")
        for store in (ours, theirs):
            store.merge(store)
            if hasattr(store, "fold"):
                store.fold()
        assert_equal_stores(ours, theirs, "merge and fold")


@pytest.mark.parametrize("store", ["nmf-lazy", *battery.COMPACT, "q8u-global", "row-global"])
def test_other_stores_answer_as_on_the_host(store):
    there, here = live_pair(f"RMSprop {store}", Shape(5, 3, 2, 2))
    for live in (there.v, here.v):
        live.update([1, 4], np.ones((2, 3), np.float32))
        live.scale(0.5)
        live.merge(live)
    assert_equal_stores(there.v, here.v, store)


@pytest.mark.parametrize("signed", [True, False])
def test_codes_are_those_of_the_host(signed):
    """Also halfway between two of them: 5e-7 of the largest, where codes have signs."""
    grads = np.array([[1.0, 5e-7, 5e-8, -1.5e-6, 0.25]], np.float32)
    grads, codes = grads if signed else np.sqrt(np.abs(grads)), []
    for backend in ("cuda", "reference"):
        here = np.zeros((1, 5), np.float32)
        table = on_device(here) if backend == "cuda" else here
        if signed:
            opt = sl.Momentum(table, 1.0, m=sl.Quantized(), backend=backend)
        else:
            opt = sl.Adagrad(table, 1.0, v=sl.Quantized(signed=False), backend=backend)
        opt.step(on_device(grads) if backend == "cuda" else grads)
        codes.append(np.asarray((opt.m if signed else opt.v).codes).tolist())
    assert codes[0] == codes[1]


@pytest.mark.parametrize("live", [test_other_stores.ExactStore, test_other_stores.NoStore])
def test_unknown_stores_are_refused(live):
    table = on_device(np.zeros((4, 2), np.float32))
    with pytest.raises(sl.ConfigurationError, match="has no kernels"):
        sl.Adam(table, v=test_other_stores.OtherStore(live), backend="cuda")


@pytest.mark.parametrize(
    "case",
    [
        "Adam cs-global-clean cms-conservative-clean",
        "Adagrad nmf-lazy",
        "Adam q8-global sm3",
        "Adam cs-lazy mean",
        "Adam cs-shrunken cms-conservative",
    ],
)
def test_states_go_to_the_host_and_back(case, tmp_path):
    shape = Shape(8, 3, 3, 4)
    opt, _ = live_pair(case, shape)
    state = opt.state_dict()
    assert not any(hasattr(value, "__cuda_array_interface__") for value in state.values())
    opt.save(tmp_path / "state.npz")
    tables = []
    for load in (
        lambda new: new.load_state_dict(state),
        lambda new: new.load(tmp_path / "state.npz"),
    ):
        table = on_device(opt.table.copy_to_host())
        new = build(battery.ours, case, shape, table, backend=CUDA(deterministic=True))
        load(new)
        grads, rows = stream(shape, STEPS)[1]
        step(new, grads, rows, np.float32)
        tables.append(table.copy_to_host())
    assert (tables[0] == tables[1]).all()


def test_gradients_may_be_a_part_of_the_table():
    table = on_device(np.array([[1.0], [10.0], [100.0]], np.float32))
    opt = sl.SGD(table, 1.0, backend="cuda")
    opt.step(table[:2], rows=on_device(np.array([1, 0])))
    assert table.copy_to_host().ravel().tolist() == [-9, 9, 100]


def test_another_stream_may_follow():
    table = on_device(np.zeros((2, 2), np.float32))
    opt = sl.SGD(table, 1.0, backend=CUDA(stream=driver.cuda.stream()))
    opt.step(on_device(np.ones((2, 2), np.float32)))
    driver.cuda.synchronize()
    assert (table.copy_to_host() == -1).all()


def test_the_table_is_not_copied():
    table = on_device(np.zeros((3, 2), np.float32))
    found = as_device("table", table)
    assert found.memory.owner is table
    assert found.contiguous


def test_speed_is_measured_on_tiny_shapes(monkeypatch):
    """Every run of the experiment goes through; the simulator's times mean nothing."""
    monkeypatch.setattr(gpu_events, "COPIED", 1024)
    configuration = {"seed": 0, "repeats": 2, "device": gpu_events.device(), "mode": "quick"}
    configuration["shapes"] = [[20, 3, 6], [20, 3, None]]
    results = {
        str(settings): gpu_speed.measure(settings, None)
        for (settings,) in gpu_speed.EXPERIMENT.stages(configuration, None)
    }
    if driver.simulated():
        assert all(("ms" in found) == ("sketchlab" in of) for of, found in results.items())
    summary = gpu_speed.summarise(configuration, lambda settings: results[str(settings)])
    assert len(gpu_speed.present(configuration, summary).rows) == len(results)


def test_the_order_of_rows_does_not_matter():
    """In the mode that repeats its bits, to the last of them."""
    shape = Shape(8, 3, 3, 2)
    rng = np.random.default_rng(0)
    grads, rows = rng.standard_normal((6, 3)).astype(np.float32), rng.permutation(8)[:6]
    tables = []
    for order in (np.arange(6), rng.permutation(6)):
        table = on_device(initial_table(shape))
        case = "Adam cs-lazy cms-bucket"
        opt = build(battery.ours, case, shape, table, backend=CUDA(deterministic=True))
        step(opt, grads[order], rows[order], np.float32)
        tables.append(table.copy_to_host())
    assert tables[0].tobytes() == tables[1].tobytes()
