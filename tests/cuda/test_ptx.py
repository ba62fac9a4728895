"""Every kernel compiled offline and through ptxas: what the simulator hides shows here.

`make test-ptx` installs the compiler packages and prints the table of registers.
"""

from collections import Counter
from itertools import product

import numpy as np
import pytest

import sketchlab as sl
from sketchlab.kernels.cuda import (
    bucket,
    driver,
    elementwise,
    factors,
    groups,
    owned,
    quantized,
    row_wise,
    shrunken,
    sm3,
)

if driver.cuda is None or driver.simulated():
    pytest.skip("numba-cuda is missing, or is the simulator", allow_module_level=True)

import offline

if offline.find_ptxas() is None:
    pytest.skip("the compiler packages are missing: make test-ptx", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SKETCH = {"width": 500, "seed": 1}
ADAMS = {
    "lazy": {"m": sl.CountSketch(**SKETCH), "v": sl.CountMinSketch(**SKETCH)},
    "global, conservative": {
        "m": sl.CountSketch(decay="global", **SKETCH),
        "v": sl.CountMinSketch(conservative=True, **SKETCH),
    },
    "bucket": {
        "m": sl.CountSketch(decay="bucket", **SKETCH),
        "v": sl.CountMinSketch(decay="bucket", **SKETCH),
    },
    "depth 4 and 5": {
        "m": sl.CountSketch(depth=4, **SKETCH),
        "v": sl.CountSketch(depth=5, **SKETCH),
    },
    "exact": {},
    "two bytes": {
        "m": sl.CountSketch(cells="bfloat16", **SKETCH),
        "v": sl.CountMinSketch(conservative=True, cells="bfloat16", **SKETCH),
    },
    "two bytes, exact": {"m": sl.Dense(cells="bfloat16"), "v": sl.Dense(cells="bfloat16")},
    "rank one": {"v": sl.Rank1()},
    "rank one, global": {"v": sl.Rank1(decay="global")},
    "head and tail, row weights, clipped": {
        "m": sl.HeadTail(tail=sl.CountSketch(**SKETCH), row_weights=True),
        "v": sl.HeadTail(tail=sl.CountMinSketch(conservative=True, **SKETCH)),
        "clip": "feasible",
    },
    "head and tail, bucket; weighted exact m": {
        "m": sl.Dense(row_weights=True),
        "v": sl.HeadTail(tail=sl.CountMinSketch(decay="bucket", **SKETCH)),
    },
    "row-wise": {"v": sl.RowWise()},
    "SM3": {"v": sl.SM3()},
    "quantised": {"m": sl.Quantized(), "v": sl.Quantized(signed=False, decay="global")},
    "means": {"v": sl.BucketMean(**SKETCH)},
    "shrunken": {"m": sl.CountSketch(shrink=True, **SKETCH)},
    "shrunken tail, depth 4": {
        "m": sl.HeadTail(tail=sl.CountSketch(shrink=True, depth=4, **SKETCH))
    },
}
OTHERS = [
    ("SGD", {}),
    ("Momentum", {"m": sl.CountSketch(**SKETCH)}),
    ("Adagrad", {"v": sl.CountMinSketch(**SKETCH)}),
    ("RMSprop", {"v": sl.CountMinSketch(decay="global", **SKETCH)}),
    ("AMSGrad", {"m": sl.CountSketch(**SKETCH), "v": sl.CountMinSketch(**SKETCH)}),
    ("AMSGrad", {"m": sl.CountSketch(shrink=True, **SKETCH)}),
]
# All whose kernels are in ``__all__``, beside views, which are classes.
MODULES = bucket, elementwise, factors, groups, owned, quantized, row_wise, shrunken, sm3
# Sums of squares of any size of floats.
DOUBLE = {"sum_squares", "find_parts"}
# The loops over parameters and cells; the others are bookkeeping.
MAIN = {"take_parts", "change_owned_cells", "decay_cells", "move", "sort", "sum_groups"}
MAIN |= {"code_blocks_anew", "find_column_targets", "raise_row_bounds", "sum_columns", "sum_rows"}
# Kernels whose blocks wait for each other: two of 256 threads must fit on a multiprocessor.
TOGETHER, REGISTERS = {"sort", "sum_groups"}, 128


def launched(dtype):
    """Every kernel that a GPU would be given, by its types."""
    optimizers = [("Adam", stores) for stores in ADAMS.values()] + OTHERS
    return list(
        dict.fromkeys(
            launch
            for (name, stores), deterministic in product(optimizers, (False, True))
            for launch in offline.launched_by(name, dtype, deterministic, **stores)
        )
    )


def kinds(signature):
    """The views among a kernel's arguments, by name and depth."""
    for argument in signature:
        if hasattr(argument, "instance_class"):
            constants = (t for t in argument.types if str(getattr(t, "dtype", "")) == "uint64")
            depth = [len(t) // 4 for t in constants if hasattr(t, "count")]
            yield argument.instance_class.__name__ + "".join(f"({d})" for d in depth)
        elif hasattr(argument, "types"):  # the views of all moments
            yield from kinds(argument.types)


@pytest.mark.parametrize("target", offline.TARGETS, ids="sm_{0[0]}{0[1]}".format)
def test_kernels_compile_without_spills_or_double_precision(target):
    rows, used = [], Counter()
    for kernel, signature in launched(np.float32):
        compiled = offline.compile_offline(kernel, signature, target)
        rows.append((kernel.__name__, compiled, ", ".join(kinds(signature))))
        used[kernel.__name__] += 1
        double = ".f64" in compiled.ptx
        assert double == (kernel.__name__ in DOUBLE), f"{kernel.__name__}: double {double}"
    print(f"\nsm_{target[0]}{target[1]}\n{'kernel':20}{'registers':>10}{'spilled':>9}{'stack':>7}")
    for name, compiled, views in sorted(rows, key=lambda row: row[0]):
        print(f"{name:20}{compiled.registers:>10}{compiled.spilled:>9}{compiled.stack:>7}  {views}")
    helpers = {"chunk_for"}
    listed = {name for module in MODULES for name in module.__all__ if name.islower()} - helpers
    assert set(used) >= MAIN.union(listed)
    for name, compiled, views in rows:
        assert compiled.spilled == 0, f"{name} spills: {views}"
        assert name not in TOGETHER or compiled.registers <= REGISTERS


def test_kernels_compile_in_double_precision():
    for kernel, signature in offline.launched_by("Adam", np.float64, **ADAMS["lazy"]):
        offline.compile_offline(kernel, signature, offline.TARGETS[-1])


@pytest.mark.parametrize(
    ("stores", "instruction"), [("bucket", "add.f32"), ("global, conservative", "max.s32")]
)
def test_changing_a_shared_cell_is_one_instruction(stores, instruction):
    """Additions and maxima by atomics are reductions without an answer, not loops."""
    found = [
        offline.compile_offline(kernel, signature, (9, 0)).ptx
        for kernel, signature in offline.launched_by("Adam", **ADAMS[stores])
        if kernel.__name__ == "take_parts"
    ]
    assert any(instruction in ptx for ptx in found)
    assert all("atom.cas" not in ptx for ptx in found)


def promoted(x):
    """A rule with a Python literal, which makes it double precision."""
    x[0] = (1 - x[0]) * 0.5


def untyped(x):
    """What the simulator runs and no compiler does: a Python helper."""
    x[0] = helper(x[0])


def helper(value):
    return value


def test_broken_kernels_are_caught():
    from numba.cuda import types

    vector = types.Array(types.float32, 1, "C")
    assert ".f64" in offline.compile_offline(promoted, (vector,), (9, 0)).ptx
    with pytest.raises(Exception, match="helper"):
        offline.compile_offline(untyped, (vector,), (9, 0))
