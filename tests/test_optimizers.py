"""One battery for every optimizer × store × decay × shape × backend × dtype.

Each must follow its oracle step by step over a stream of sparse, repeated, empty, complete and
dense steps; keep the table's dtype; compile nothing at the second run; and go on to the bit from a
saved state.
"""

import sys
import types

import battery
import numba
import numpy as np
import pytest
from battery import CASES, SHAPES, build, initial_table, oracle, ours, run_ours, stream
from numba.core.dispatcher import Dispatcher

# Tiny tables make sketches that are larger than what they stand for; here that is the point.
pytestmark = pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning")

BACKENDS = ["reference", "cpu"]
DTYPES = ["float32", "float64"]
MIDDLING = SHAPES[3]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("case", CASES)
def test_follows_its_oracle(case, shape, backend, dtype):
    """Table and estimates after every one of the steps, in the table's dtype."""
    table = initial_table(shape).astype(dtype)
    opt = build(ours, case, shape, table, backend=backend)
    run = run_ours(opt, table, stream(shape))
    battery.assert_runs_agree(run, oracle(case, shape), np.dtype(dtype), f"{case} {backend}")
    assert opt.step_count == battery.STEPS


# ---------------------------------------------------------------- no second compilation


def compiled_signatures():
    """Signatures compiled (or found in the cache) so far by the library's CPU kernels."""
    return {
        (name, attribute): list(kernel.signatures)
        for name, module in list(sys.modules.items())
        if name.startswith("sketchlab.")
        for attribute, kernel in vars(module).items()
        if isinstance(kernel, Dispatcher)
    }


@pytest.mark.parametrize("dtype", DTYPES)
def test_second_run_compiles_nothing(dtype):
    """Another table, other rows of another integer type: the same machine code."""

    def run(case, row_type):
        table = initial_table(MIDDLING).astype(dtype)
        opt = build(ours, case, MIDDLING, table, backend="cpu")
        for grads, rows in stream(MIDDLING, steps=10):
            rows = rows if rows is None else rows.astype(row_type)
            opt.step(grads.astype(dtype), rows=rows)

    for case in CASES:
        run(case, np.int64)
    before = compiled_signatures()
    assert any(before.values()), "no CPU kernel was found"
    for case in CASES:
        run(case, np.int32)
    assert compiled_signatures() == before


def test_a_compilation_is_seen(monkeypatch):
    """A kernel that meets a new type shows."""
    module = types.ModuleType("sketchlab.probe")
    module.kernel = numba.njit(lambda x: x)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.kernel(1)
    before = compiled_signatures()
    module.kernel(2)
    assert compiled_signatures() == before
    module.kernel(2.0)
    assert compiled_signatures() != before


# ---------------------------------------------------------------- state


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_goes_on_from_its_state(case, backend, dtype, tmp_path):
    """Half the stream, then the other half from the state and from the file: the same bits."""
    first, second = np.split(np.arange(40), 2)
    steps = stream(MIDDLING, steps=40)
    table = initial_table(MIDDLING).astype(dtype)
    opt = build(ours, case, MIDDLING, table, backend=backend)
    run_ours(opt, table, [steps[t] for t in first])
    state, halfway = opt.state_dict(), table.copy()
    opt.save(tmp_path / "state.npz")
    expected = run_ours(opt, table, [steps[t] for t in second])

    for restore in (
        lambda other: other.load_state_dict(state),
        lambda other: other.load(tmp_path / "state.npz"),
    ):
        again = halfway.copy()
        other = build(ours, case, MIDDLING, again, backend=backend)
        restore(other)
        continued = run_ours(other, again, [steps[t] for t in second])
        assert other.step_count == opt.step_count
        for ours_now, then in zip(continued, expected, strict=True):
            np.testing.assert_array_equal(ours_now, then)


def test_a_lost_state_is_seen():
    """Without the state the second half comes out differently, in every optimizer that has one."""
    steps = stream(MIDDLING, steps=20)
    forgetful = {"SGD", "SGD decayed", *(case for case in CASES if " 0.0 " in case)}
    for case in CASES.keys() - forgetful:
        table = initial_table(MIDDLING)
        opt = build(ours, case, MIDDLING, table, backend="reference")
        run_ours(opt, table, steps[:10])
        again = table.copy()
        expected = run_ours(opt, table, steps[10:])
        fresh = run_ours(build(ours, case, MIDDLING, again, backend="reference"), again, steps[10:])
        assert not np.array_equal(fresh.table, expected.table), case
