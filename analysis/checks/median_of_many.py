"""What depth buys a count-sketch: errors that fall as v^(−1/2), as if it were width (theory §1).

The binomial tail says that a median of many rows seldom errs by more than one row's standard
deviation. Minton & Price (2012) say more: it is nearer by √v, because the error of a row is 0 with
the density of a normal number at least. They need fully independent hash functions; this measures
multiply-shift, and full independence beside it. For many entries a bucket the mean squared error is
that of a median of v normal numbers, about (π/2)·‖x‖₂²/(w·v): of w·v cells depth costs a factor of
π/2 against a single row, and no more.
"""

import numpy as np

import sketchlab as sl
from analysis.checks import vectors
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.checks.draws import errors_beside
from analysis.checks.rates import tightness
from analysis.lab.intervals import (
    at_most,
    mean_interval,
    near,
    together,
)
from analysis.theory import bounds

KINDS = {"flat": np.ones, "Zipf 0.5": lambda n: vectors.power_law(n, 0.5)}
#: A limit for many entries a bucket; at the load of these sizes (25 and more) it is met to a tenth.
#: A power law's heavy entries leave less.
_TOLERANCE = 0.1


def runs(n, width, depths, draws, groups):
    """One run for each kind of vector and depth."""
    return [
        {"kind": kind, "n": n, "width": width, "depth": depth, "draws": draws, "groups": groups}
        for kind in KINDS
        for depth in depths
    ]


def measure(settings, sequence):
    """Mean squared error about zeros, in groups of draws: multiply-shift, and random hashes."""
    values, width = KINDS[settings["kind"]](settings["n"]), settings["width"]
    depth, draws = settings["depth"], settings["draws"]
    sketch = sl.CountSketch(width=width, depth=depth, decay="global")
    squares, random = [], []
    for child in sequence.spawn(settings["groups"]):
        data, hashing = child.spawn(2)
        squares.append(float(np.square(errors_beside(sketch, values, draws, hashing)).mean()))
        drawn = np.random.default_rng(data).random((draws, depth, len(values)), np.float32)
        # ± with the chance 1/w together, 0 otherwise: a collision and its sign in one number
        hit = np.where(drawn < 0.5 / width, 1.0, 0.0) - np.where(drawn > 1 - 0.5 / width, 1.0, 0.0)
        random.append(float(np.square(np.median(hit @ values, axis=1)).mean()))
    bound = bounds.median_of_many_variance(values, width, depth)
    return {"squares": squares, "random": random, "limit": bound}


def judge(measurements):
    """Mean squared errors of equal entries near the limit, those of power laws at most that."""
    level, verdicts, ratios = claim_error() / len(measurements), [], []
    for settings, result in measurements:
        mean, low, high = mean_interval(result["squares"], level)
        limit = result["limit"]
        if settings["kind"] == "flat":
            verdicts.append(near(low, high, limit, _TOLERANCE * limit))
        else:
            verdicts.append(at_most(low, high, (1 + _TOLERANCE) * limit))
        ratios.append((limit / mean, mean, limit, [float(low), float(high)]))
    apart = [np.mean(r["squares"]) / np.mean(r["random"]) for _, r in measurements]
    least, mean, limit, interval = min(ratios)
    settings = measurements[0][0]
    depths = [settings["depth"] for settings, _ in measurements]
    return Finding(
        verdict=together(verdicts),
        measured=float(mean),
        bound=limit,
        interval=interval,
        draws=settings["draws"] * settings["groups"],
        comparisons=len(measurements),
        note=f"depth {min(depths)} … {max(depths)}: the normal limit is {least:.2f} to "
        f"{max(ratios)[0]:.2f} times the mean squared error, which is {min(apart):.2f} to "
        f"{max(apart):.2f} times that under fully random hash functions",
        curves={
            "tightness": tightness([ratio for ratio, *_ in ratios]),
            "cells": [{"settings": s, **result} for s, result in measurements],
        },
    )


CLAIM = Claim(
    name="median-of-many",
    statement="the median of v rows of a count-sketch errs as that of v normal numbers, in the "
    "mean square as (π/2)‖x‖₂²/(wv), under multiply-shift too",
    source="Minton & Price 2012; theory §1",
    expected="holds",
    sizes={
        "tiny": {"n": 200, "width": 8, "depths": [3, 9], "draws": 200, "groups": 12},
        "quick": {"n": 400, "width": 16, "depths": [3, 7, 15], "draws": 200, "groups": 12},
        "full": {"n": 1000, "width": 16, "depths": [3, 7, 15, 31], "draws": 200, "groups": 24},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "20 s", "full": "4 min"},
)
