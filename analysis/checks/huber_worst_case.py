"""The worst case that attains the convergence bounds: K rows far out on a Huber loss, one bucket.

Every row's gradient is 1, the largest, until it has travelled its distance, and every bucket holds
the sum of all (docs/theory.md §5). So each step is as short as F3 allows: η/(√K + ε) for the linear
sketch, η/(1 + ε) for the conservative one. The bound is within a factor of 3 of what is measured at
every K: the √K is of the method, not of the proof. Exact RMSprop's bound, which has none, is
broken by the linear sketch from K of 5 to 16 on.

The distance takes `linear` steps; a run goes on for `times` that, so that sup ‖∇f‖² is well above
the bound and a method which never arrives breaks it. Warm-up, the steps before v̂ has reached its
height, is 1/(1−β) steps long, a small part of `linear`.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding
from analysis.checks.convergence import described, trajectory
from analysis.checks.rates import tightness
from analysis.lab.intervals import HOLDS, REFUTED
from analysis.problems.huber_rows import HuberRows
from analysis.theory import descent

#: The bound is at most this many times what is measured, at every K.
ATTAINED = 3
FORMS = {
    "linear": (lambda: sl.CountMinSketch(1, depth=1, decay="global"), descent.linear_constants),
    "conservative": (
        lambda: sl.CountMinSketch(1, depth=1, conservative=True),
        descent.conservative_constants,
    ),
}


def runs(loads, linear, times, beta):
    """One run for each form and K."""
    return [
        {"form": form, "load": load, "linear": linear, "times": times, "beta": beta}
        for form in FORMS
        for load in loads
    ]


def far_out(rows, load, settings):
    """Rows at the distance that `settings["linear"]` steps take them, and their run.

    Parameters
    ----------
    rows, load : int
        How many there are, and how many second moments a bucket adds up.
    settings : dict
        Beta, and the steps spent in the linear part.
    """
    beta, steps = settings["beta"], settings["linear"]
    conditions = {"eps": 4 * np.sqrt(1 - beta), "lr": 1, "beta": beta}
    case = described(HuberRows(rows, 1.0), conditions, steps)
    heights = load * (1 - beta ** np.arange(1, steps + 1))
    problem = HuberRows(rows, 1 + (case.lr / (np.sqrt(heights) + case.eps)).sum())
    return problem, described(problem, conditions, steps)


def measure(settings, sequence):
    """Mean ‖∇f‖², the form's bound, and exact RMSprop's."""
    describe, constants_of = FORMS[settings["form"]]
    load = settings["load"] if settings["form"] == "linear" else 1
    problem, case = far_out(settings["load"], load, settings)
    case = case._replace(steps=settings["linear"] * settings["times"])
    norms, buckets = trajectory(problem, case, describe())
    return {
        "mean": float(norms.mean()),
        "steepest": problem.steepest,
        "bound": descent.smallest_bound(case, constants_of(buckets, problem.gradient_bounds)),
        "without_sqrt": descent.exact_bound(case),
    }


def judge(measurements):
    """Each bound above the mean, at most 3 times it, and below sup ‖∇f‖²."""
    ratios = {
        (s["form"], s["load"]): result["bound"] / result["mean"] for s, result in measurements
    }
    informative = all(result["bound"] < result["steepest"] for _, result in measurements)
    attained = all(1 <= ratio <= ATTAINED for ratio in ratios.values())
    broken = [
        s["load"]
        for s, result in measurements
        if s["form"] == "linear" and result["without_sqrt"] < result["mean"]
    ]
    worst = max(ratios, key=ratios.get)
    loads = [load for form, load in ratios if form == "linear"]
    shown = "; ".join(
        f"{form} {min(found):.2f} to {max(found):.2f}"
        for form in FORMS
        for found in [[ratio for (name, _), ratio in ratios.items() if name == form]]
    )
    return Finding(
        verdict=HOLDS if informative and attained and broken else REFUTED,
        measured=ratios[worst],
        bound=float(ATTAINED),
        interval=None,
        draws=len(measurements),
        comparisons=0,
        note=f"bound over measured for K = {min(loads)} … {max(loads)}: {shown}; without the √K "
        f"it would be broken from K = {min(broken, default=None)} on",
        curves={
            "tightness": tightness(list(ratios.values())),
            "cells": [{"settings": settings, **result} for settings, result in measurements],
        },
    )


CLAIM = Claim(
    name="huber-worst-case",
    statement="K rows of one bucket attain the convergence bounds to a factor of 3 at every K, "
    "√K included",
    source="docs/theory.md §5",
    expected=HOLDS,
    sizes={
        "tiny": {"loads": [1, 16], "linear": 60, "times": 20, "beta": 0.9},
        "quick": {"loads": [1, 4, 16, 64, 256], "linear": 100, "times": 20, "beta": 0.9},
        "full": {"loads": [2**k for k in range(11)], "linear": 100, "times": 20, "beta": 0.9},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "2 s", "full": "30 s"},
)
