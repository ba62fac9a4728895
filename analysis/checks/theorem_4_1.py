"""Theorem 4.1 / B.1 with its printed constants: false for wide sketches (theory §2).

Its proof takes v̂ ≤ ε₁nG² where (1 + ε₁n)G² follows, so that the factor before its bracket,
2(√(βε₁n)·G + ε), falls to 2ε for a sketch so wide that nothing collides, while the steps are no
longer than η/(G + ε). The smallest counterexample has one row: far out on a Huber loss, without
noise, the mean of ‖∇f‖² is 1 and the printed bound about 2(√(βe/w) + ε)/(1 + ε).

With all rows out there the bound fails where ε₁n = e·n/w is below about ¼, w above about 11·n.
Below w of about 3.4·n theorem B, which is proved, implies it (without noise); between the two it is
open, and so is the printed term in the noise. The statement is of probability 1−δ over the hash
functions, at width e/ε₁ and depth ln(nT/δ).
"""

import math

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.checks.convergence import trajectory
from analysis.checks.draws import hash_seed
from analysis.checks.huber_worst_case import far_out
from analysis.checks.rates import tightness
from analysis.lab.intervals import HOLDS, REFUTED, clopper_pearson
from analysis.theory import descent

DELTA = 0.2


def counterexample(beta=0.99, width=100, steps=1000):
    """One row: the mean of ‖∇f‖² while its gradient is 1, and the printed bound."""
    settings = {"beta": beta, "linear": steps, "rows": 1, "width": width, "load": 1}
    case, norms, _ = _run(settings, sl.CountMinSketch(width, depth=1, decay="global"))
    return float(norms.mean()), round(descent.theorem_4_1(case, np.e / width), 3)


def runs(rows, widths, betas, linear, draws):
    """One run for each number of rows, decay and width, given as a multiple of the rows."""
    return [
        {
            "rows": count,
            "width": max(1, round(multiple * count)),
            "beta": beta,
            "linear": linear,
            "load": 1 if multiple >= 1 else round(1 / multiple),
            "draws": draws,
        }
        for count in rows
        for beta in betas
        for multiple in widths
    ]


def measure(settings, sequence):
    """Means and printed bounds at ε₁ = e/w and the depth that δ asks for."""
    depth = math.ceil(math.log(settings["rows"] * settings["linear"] / DELTA))
    sketch = sl.CountMinSketch(settings["width"], depth, decay="global")
    means, proved = [], []
    for child in sequence.spawn(settings["draws"]):
        case, norms, buckets = _run(settings, sketch.with_seed(hash_seed(child)))
        means.append(float(norms.mean()))
        proved.append(descent.theorem_linear(case, buckets))
    printed = descent.theorem_4_1(case, np.e / settings["width"])
    return {"means": means, "printed": printed, "proved": proved}


def _run(settings, sketch):
    problem, case = far_out(settings["rows"], settings["load"], settings)
    return case, *trajectory(problem, case, sketch)


def judge(measurements):
    """Refuted where more draws than δ are above the printed bound."""
    cases, verdict = [], HOLDS
    for settings, result in measurements:
        over = sum(mean > result["printed"] for mean in result["means"])
        low, high = clopper_pearson(over, settings["draws"], claim_error() / len(measurements))
        spread = np.e * settings["rows"] / settings["width"]
        ratio = result["printed"] / np.mean(result["means"])
        cases.append((ratio, spread, float(low), float(high), settings, result))
        verdict = REFUTED if low > DELTA else verdict
    broken = [case for case in cases if case[2] > DELTA]
    ratio, spread, low, high, settings, result = min(cases, key=lambda case: case[0])
    kept = min((case[1] for case in cases if case not in broken), default=math.nan)
    return Finding(
        verdict=verdict,
        measured=float(np.mean(result["means"])),
        bound=result["printed"],
        interval=None,
        draws=settings["draws"],
        comparisons=len(cases),
        note=f"{settings['rows']} row(s), w = {settings['width']:,}, β = {settings['beta']}: the "
        f"share of draws above the printed bound is in {low:.2f}–{high:.2f}, δ = {DELTA}; broken "
        f"for ε₁n up to {max((c[1] for c in broken), default=math.nan):.2g}, not from {kept:.2g} "
        "on",
        curves={
            "tightness": tightness([case[0] for case in cases]),
            "cells": [
                {"settings": s, "spread": spread, "mean": float(np.mean(r["means"]))}
                | {"printed": r["printed"], "proved": float(np.mean(r["proved"]))}
                for _, spread, _, _, s, r in cases
            ],
        },
    )


CLAIM = Claim(
    name="theorem-4-1",
    statement="the printed bound on mean ‖∇f‖² of linearly sketched RMSprop, with probability 1−δ",
    source="Spring et al. 2019, Theorem 4.1 / B.1; theory §2",
    expected=REFUTED,
    sizes={
        "tiny": {"rows": [1], "widths": [400], "betas": [0.99], "linear": 500, "draws": 10},
        "quick": {
            "rows": [1, 50],
            "widths": [0.5, 2, 5, 20, 100, 400],
            "betas": [0.99],
            "linear": 600,
            "draws": 10,
        },
        "full": {
            "rows": [1, 50],
            "widths": [0.5, 2, 5, 8, 11, 20, 100, 400],
            "betas": [0.99, 0.999],
            "linear": 3000,
            "draws": 20,
        },
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "10 s", "full": "2 min"},
)
