"""The speed experiment: who takes part, how turns are counted, and how targets are judged."""

import os

import numpy as np
import pytest

import sketchlab as sl
from analysis.experiments import speed
from analysis.lab.report import terminal
from analysis.lab.study import Options
from analysis.timing import plan, targets, turns
from analysis.timing.cpu_contenders import CONTENDERS, FAMILIES, SPARSE_ADAM, needs_torch
from analysis.timing.sums import SUMMERS

HERE = {"torch": None, "threads": 2, "wait_policy": None, "seed": 0}


# Who takes part


def test_every_optimizer_meets_every_store_that_it_can_hold():
    kinds = {
        sl.Dense, sl.CountSketch, sl.CountMinSketch, sl.HeadTail, sl.Rank1, sl.RowWise, sl.SM3,
        sl.Quantized, sl.BucketMean,
    }  # fmt: skip
    full = {
        name for cell in plan.runs("full", 2) if cell.part == "base" for name in cell.contenders
    }
    met = {
        family: [{type(store) for store in CONTENDERS[f"{family} {name}"].stores} for name in kept]
        for family, kept in FAMILIES.items()
    }
    assert {f"{family} {name}" for family, kept in FAMILIES.items() for name in kept} <= full
    assert set.union(*met["Momentum"]) == {kind for kind in kinds if _signed(kind)}
    for family in ("Adagrad", "RMSprop"):
        assert set.union(*met[family]) == kinds - {sl.CountSketch}
    assert set.union(*met["Adam"]) == kinds


def _signed(kind):
    return kind is sl.HeadTail or kind.signed


def test_every_decay_takes_part():
    for family, letters in (("Momentum", "CS"), ("Adam", "CS-MV"), ("RMSprop", "CMS")):
        assert {f"{letters} {decay}" for decay in ("lazy", "bucket", "global")} <= set(
            FAMILIES[family]
        )
    store = CONTENDERS["Adam CS-MV conservative"].stores[1]
    assert store.conservative and store.decay == "global"


def test_sizes_reach_as_far_as_the_design_asks():
    shapes = [shape for cell in plan.runs("full", 2) for shape in cell.shapes]
    for place, (low, high) in enumerate([(10**5, 10**7), (1, 1024), (1, 10**5)]):
        sizes = {shape[place] for shape in shapes if shape[place] is not None}
        assert min(sizes) <= low and max(sizes) >= high
    assert any(k is None for _, _, k in shapes)
    assert {cell.settings(HERE)["threads"] for cell in plan.runs("full", 2)} == {1, 2}
    many = HERE | {"threads": 24}
    counts = {cell.settings(many)["threads"] for cell in plan.runs("full", 24)}
    assert counts == {1, 2, 4, 8, 16, 24}


@pytest.mark.parametrize("family", FAMILIES)
def test_contenders_move_the_rows_of_a_step_and_no_others(family):
    rows, grads = np.array([3, 50, 299]), np.ones((3, 4), np.float32)
    for name in FAMILIES[family]:
        table = np.full((300, 4), 0.5, np.float32)
        prepare = CONTENDERS[f"{family} {name}"].make(table)
        for _ in range(2):
            prepare(rows, grads)()
        moved = (table != 0.5).any(axis=1)
        assert moved[rows].all() and moved.sum() == 3 and np.isfinite(table).all(), name


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Adam exact", SPARSE_ADAM),
        ("Adagrad exact", "torch.optim.Adagrad"),
        ("SGD exact", "torch.optim.SGD"),
    ],
)
def test_pytorch_does_the_same_work(ours, theirs):
    pytest.importorskip("torch")
    tables = [np.full((40, 3), 0.5, np.float32) for _ in range(2)]
    steps = [CONTENDERS[name].make(table) for name, table in zip((ours, theirs), tables)]
    rng = np.random.default_rng(0)
    for _ in range(5):
        rows = np.sort(rng.permutation(40)[:10])
        grads = rng.standard_normal((10, 3), np.float32)
        for prepare in steps:
            prepare(rows, grads)()
    assert (tables[0] != 0.5).any()
    np.testing.assert_allclose(*tables, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", SUMMERS)
def test_sums_are_those_of_equal_rows(name):
    if needs_torch(name):
        pytest.importorskip("torch")
    rows = np.array([7, 2, 7, 0, 2, 7])
    grads = np.arange(12, dtype=np.float32).reshape(6, 2)
    distinct, sums = SUMMERS[name](10)(rows, grads)()
    assert list(distinct) == [0, 2, 7]
    assert np.array_equal(sums, [[6, 7], [2 + 8, 3 + 9], [0 + 4 + 10, 1 + 5 + 11]])


# Memory


def test_full_plan_fits_24_gb():
    assert max(map(plan.needed, plan.runs("full", 2))) < 22e9


def test_memory_is_that_of_tables_state_and_copy():
    one, two = (
        plan.needed(plan.Run("n", ("Adam exact",), [(n, 64, 1)], 1)) for n in (10**6, 2 * 10**6)
    )
    assert two - one == 3 * 4 * 64 * 10**6  # parameters, m and v
    # a second shape of the same table brings no second state
    twice = plan.needed(plan.Run("k", ("Adam exact",), [(10**6, 64, 1), (10**6, 64, 2)], 1))
    assert twice - one < 10_000


def test_tables_that_do_not_fit_are_left_out_and_named(monkeypatch):
    monkeypatch.setattr(speed.machine, "available", lambda: int(6e9))
    configuration, _ = speed.configure(Options())
    out = {(one["part"], one["n"], one["dim"]) for one in configuration["left_out"]}
    assert ("n", 10**7, 256) in out and ("n", 10**5, 256) not in out
    cells = speed.runs(configuration)
    biggest = max(n * dim for settings in cells for n, dim, _ in settings["shapes"])
    assert biggest < 10**7 * 256
    # what fits in one cell stays there, though another cell had no room for it
    sizes = [{n for n, dim, _ in one["shapes"]} for one in cells if one["part"] == "n"]
    assert {10**5, 10**6} in sizes and {10**5} in sizes
    text = terminal(
        speed.present(configuration, {"rows": [_row_of_a_copy()], "distinct": [], "targets": []})
    )
    assert "n = 10,000,000, d = 256 (2" in text


def _row_of_a_copy():
    times = {"ms": 1.0, "quartiles_ms": [1.0, 1.0], "least_bytes": 1, "copy_gb_per_s": 25.0}
    return _row("base", "SGD exact", threads=os.cpu_count(), **times)


# Turns


def test_a_turn_is_copy_rehearsal_step(monkeypatch):
    monkeypatch.setattr(turns, "WARM_UP", 1)
    said = []

    def entry(name):
        def prepare(turn):
            return lambda: said.append(f"{name}{turn}")

        return turns.Entry(name, (1, 1, 1), prepare, lambda: said.append("rehearsal"))

    times, copies = turns.take([entry("a"), entry("b")], 2, lambda: said.append("copy"), block=2)
    assert times.shape == copies.shape == (2, 2) and (times > 0).all()
    once = ["copy", "rehearsal"]
    assert said == [
        word for turn in range(3) for name in "ab" for word in (*once, *2 * [f"{name}{turn}"])
    ]


def test_ratios_are_medians_of_the_same_turn():
    shapes = [(9, 1, 1), (9, 1, 2)]
    entries = [turns.Entry(name, shape, None, None) for shape in shapes for name in "ab"]
    # the machine slows down: the ratio of the medians of a and b would be 3 / 4
    times = np.array([[1.0, 3, 100], [2, 4, 50], [4, 6, 300], [1, 1, 1]])
    copies = np.full((4, 3), 2.0)
    kept = turns.digest(entries, times, copies, lambda entry: {"torch": "b", "exact": "absent"})
    assert kept[0]["quartiles_ms"] == [2, 3, 51.5]
    assert kept[0]["of_copy"] == 1.5
    assert kept[0]["of"] == {"torch": 0.75} and kept[1]["of"] == {}
    assert np.median([1 / 2, 3 / 4, 100 / 50]) == 0.75
    assert "of_first" not in kept[0]
    assert kept[2]["of_first"] == kept[2]["of_previous"] == 3  # of 4, 2 and 3
    assert kept[2]["of"] == {"torch": 6}


# Judging


def _row(part, contender, shape=plan.BASE, **fields):
    n, dim, k = shape
    return {"part": part, "contender": contender, "n": n, "dim": dim, "k": k} | fields


def _rows(slow):
    """Rows of every target; times are `slow` times what just reaches it."""
    wide, many, dense = (200_000, 1024, 4096), (10**6, 256, 100_000), (100_000, 64, None)
    plain = {"of_plain": 1.3 * slow, "ms": 2.0}
    once = {"of_plain": 1.3 * slow, "ms": 1.3 * 2.0 * slow}
    rows = [
        _row("base", targets.GLOBAL, of_torch=0.4 * slow, of_copy=0.7 / slow, **plain),
        _row("base", targets.LAZY, of_copy=0.6 / slow),
        _row("base", "Adam CS-MV conservative", **once),
        _row("base", targets.RMSPROP, of_torch=0.25 * slow, **plain),
        _row("base", "RMSprop CMS conservative", **once),
        _row("base", targets.EXACT, of_copy=0.75 / slow, ms=1.0),
        *(
            _row("base", name, ms=times * slow)
            for name, times in zip(plan.COMPACT, (1.5, 1.5, 2.5, 2.5))
        ),
        *(
            _row("dense", name, dense, ms=times)
            for name, times in (
                (targets.EXACT, 1.0),
                (targets.GLOBAL, 2.5 * slow),
                (targets.RMSPROP, 2 * slow),
            )
        ),
        _row("k", targets.EXACT, many, of_copy=0.8 / slow),
        _row("d", targets.GLOBAL, wide, of_copy=0.7 / slow, ms=1.0),
        *(
            _row("unique rows", targets.OURS, (680_000, dim, 10**6), of_torch=1 / 3 * slow)
            for dim in (1, 64)
        ),
        *(
            _row("n", targets.GLOBAL, (10**7, dim, 4096), of_first=1.2 * slow, of_previous=1.0)
            for dim in (64, 256)
        ),
        *(
            _row("small", name, (200_000, dim, k), ms=ms * slow)
            for name, ms in ((targets.GLOBAL, 0.030), (targets.EXACT, 0.020))
            for dim, k in ((1, 1), (64, 1), (64, 63))
        ),
    ]
    return rows


def _judged(rows, word):
    found = [target for target in targets.judge(rows) if word in target["name"]]
    assert found, word
    return found


WORDS = (
    "over that of torch", "d = 256, k = 4,096: part of", "d = 256, k = 100,000: part of",
    "d = 1,024, k = 4,096: part", "over that of plain", "over that of Adam CS-MV global",
    "over that of RMSprop CMS global", "V, time over that of Adam exact", "dense step",
    "over n = 1e5", "unique rows", "overhead", "the whole step",
)  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(("slow", "reached"), [(0.99, True), (1.01, False)])
def test_targets_are_judged_by_what_was_measured(word, slow, reached):
    assert {target["reached"] for target in _judged(_rows(slow), word)} == {reached}


def test_what_was_not_measured_is_neither_reached_nor_missed():
    assert {target["reached"] for target in targets.judge([])} == {None}
    without_torch = [
        {name: value for name, value in row.items() if name != "of_torch"} for row in _rows(0.5)
    ]
    assert {t["reached"] for t in _judged(without_torch, "over that of torch")} == {None}
    assert {t["reached"] for t in _judged(without_torch, "unique rows")} == {None}
    assert {t["reached"] for t in _judged(without_torch, "over that of plain")} == {True}


def _sweep(times):
    """Rows of the part k, from a dict of k to ms."""
    rows, before = [], None
    for k, ms in times.items():
        grown = {} if before is None else {"of_previous": ms / before}
        rows.append(_row("k", targets.GLOBAL, (10**6, 256, k), ms=ms, **grown))
        before = ms
    return rows


@pytest.mark.parametrize(
    ("times", "value", "reached", "sizes"),
    [
        # 16 rows take less than four times what one row takes: not judged
        ({1: 0.1, 16: 0.3, 64: 0.5, 256: 2.2, 1024: 8.8}, 1.1, True, "64 to 1,024"),
        ({1: 0.1, 64: 0.5, 256: 2.8, 1024: 8.0}, 1.4, False, "rises (64 to 256)"),
        ({1: 0.1, 64: 0.5, 256: 1.0, 1024: 4.0}, 2.0, False, "falls (64 to 256)"),
    ],
)
def test_linear_is_judged_between_neighbours_above_the_fixed_cost(times, value, reached, sizes):
    (target,) = _judged(_sweep(times), "time per k")
    assert target["value"] == pytest.approx(value) and target["reached"] is reached
    assert sizes in target["name"]


def test_too_small_sizes_are_not_judged():
    (target,) = _judged(_sweep({1: 0.1, 16: 0.2, 64: 0.3}), "time per k")
    assert target["reached"] is None


# End to end


@pytest.fixture
def tiny(monkeypatch):
    """The experiment with cells of seconds."""
    names = ("SGD exact", "Adam exact", "Adam CS-MV lazy", "Adam CS-MV global", SPARSE_ADAM)
    size = {"repeats": 2, "copied": 2**20}
    cells = [
        plan.Run("base", names, [(300, 4, 20), (600, 4, 20), (600, 4, None)], **size),
        plan.Run("unique rows", tuple(SUMMERS), [(300, 2, 2_000)], kind="sums", **size),
    ]
    monkeypatch.setattr(plan, "runs", lambda mode, cores: cells)
    monkeypatch.setattr(speed, "_torch_version", lambda: None)


@pytest.mark.slow
def test_the_whole_experiment_on_tiny_tables(tiny):
    configuration, _ = speed.configure(Options(quick=True))
    cells = [cell for (cell,) in speed.EXPERIMENT.stages(configuration, None)]
    assert len(cells) == speed.EXPERIMENT.workload(configuration)[1] == 2
    results = {str(cell): speed.measure(cell, None) for cell in cells}
    summary = speed.summarise(configuration, lambda cell: results[str(cell)])
    ours, sums = 4, 3
    assert len(summary["rows"]) == 3 * ours + sums
    assert all(row["ms"] > 0 and row["of_copy"] > 0 for row in summary["rows"])
    assert not any("of_torch" in row for row in summary["rows"])
    last = summary["rows"][2 * ours + 3]
    assert (last["contender"], last["k"]) == ("Adam CS-MV global", None)
    assert {"of_exact", "of_plain", "of_first", "of_previous"} <= set(last)
    text = terminal(speed.present(configuration, summary))
    assert "PyTorch is not installed" in text and "not measured" in text
    assert 0 < summary["distinct"][0] <= 300 / 2_000
    assert f"{summary['distinct'][0]:.1%} of them distinct" in text


def test_table_says_what_was_reached_and_what_was_not():
    summary = {"rows": [], "distinct": [], "targets": targets.judge(_rows(1.01))}
    lines = list(speed._targets(summary["targets"]))
    assert any(line.endswith("0.404, at most 0.4: NOT reached") for line in lines)
    assert any("for comparison: not measured" in line for line in lines)
    assert any(line.endswith(", at most 1.2: reached") for line in lines)  # n = 1e6 to 1e7
