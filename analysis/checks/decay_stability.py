"""How many rows may share a bucket before its decay oscillates, or grows (theory §7).

K touched rows in the one bucket of a sketch of width 1, which held something and gets nothing
more: `lazy` and `bucket` decay multiply it by 1 − K(1−c) at every step, `global` by c.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding
from analysis.checks.draws import allocate, hash_seed
from analysis.lab.intervals import HOLDS, REFUTED
from analysis.theory import bounds
from analysis.training.optimizers import form_of_answers

KINDS = {"count-sketch": sl.CountSketch, "count-min": sl.CountMinSketch}
# Loads are whole numbers, thresholds 1/(1−c) are not to the last bit.
_ROUNDING = 1e-9


def runs(keeps, draws):
    """One run for each kind of sketch, way to decay, and c."""
    return [
        {"kind": kind, "decay": decay, "keep": keep, "draws": draws, **form_of_answers(decay)}
        for kind in KINDS
        for decay in ("lazy", "bucket", "global")
        for keep in keeps
    ]


def measure(settings, sequence):
    """Factor by which a step multiplies the bucket, for loads around both thresholds."""
    keep = settings["keep"]
    around = (bounds.largest_nonnegative_load(keep), bounds.unstable_load(keep))
    loads = sorted({round(t) + step for t in around for step in (-1, 0, 1)} - {0})
    factors = [
        [_factor(settings, load, hash_seed(child)) for load in loads]
        for child in sequence.spawn(settings["draws"])
    ]
    return {"loads": loads, "factors": factors}


def _factor(settings, load, seed):
    """Ratio of the bucket after four empty steps to before, per step, with its sign."""
    kind = KINDS[settings["kind"]](width=1, depth=1, decay=settings["decay"], seed=seed)
    rows = np.arange(load)
    store = allocate(kind, n=load)
    store.update(rows[:1], np.ones((1, 1)))
    nothing, values = np.zeros((load, 1)), [store.table.item()]
    for _ in range(4):
        store.advance(rows, nothing, settings["keep"], 1.0)
        values.append(store.table.item())
        if values[-1] == 0:
            return 0.0
    return float(np.sign(values[1] / values[0]) * abs(values[-1] / values[0]) ** 0.25)


def judge(measurements):
    """Refuted by one load that is on the wrong side of a threshold."""
    wrong, curves = [], []
    for settings, result in measurements:
        for factors in result["factors"]:
            pairs = zip(result["loads"], factors)
            wrong += [_error(settings, load, factor) for load, factor in pairs]
        curves.append({"settings": settings, **result})
    return Finding(
        verdict=REFUTED if any(wrong) else HOLDS,
        measured=float(sum(wrong)),
        bound=0.0,
        interval=None,
        draws=len(wrong),
        comparisons=0,
        note="loads one below, at and one above each threshold, 1/(1−c) and 2/(1−c); measured: "
        "how many were on the wrong side (`lazy`, `bucket`), or not decayed by c (`global`)",
        curves={"cells": curves},
    )


def _error(settings, load, factor):
    """Whether a measured factor contradicts the claim."""
    keep = settings["keep"]
    if settings["decay"] == "global":
        return abs(factor - keep) > _ROUNDING
    negative = load > bounds.largest_nonnegative_load(keep) + _ROUNDING
    unstable = load >= bounds.unstable_load(keep) - _ROUNDING
    return (factor < -_ROUNDING) != negative or (abs(factor) >= 1 - _ROUNDING) != unstable


CLAIM = Claim(
    name="decay-stability",
    statement="lazy and bucket decay stay non-negative up to 1/(1−c) touched rows a bucket and "
    "stable below 2/(1−c); global always",
    source="theory §7",
    expected=HOLDS,
    sizes={
        "tiny": {"keeps": [0.5, 0.9], "draws": 1},
        "quick": {"keeps": [0.5, 0.8, 0.9, 0.99, 0.999], "draws": 5},
        "full": {"keeps": [0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999], "draws": 10},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "1 s", "full": "10 s"},
)
