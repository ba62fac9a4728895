"""Theorem 4.1 / B.1 as printed, with the constants of its proof (theory §2).

The statement is of probability 1−δ over the hash functions; the width is e/ε₁ and the depth
ln(nT/δ) for the largest T. Its proof has gaps (theory §3); the bound is so loose that runs stay
far below it all the same.
"""

import math

import numpy as np

import sketchlab as sl
from analysis.checks import convergence
from analysis.checks.claim import Claim
from analysis.theory import bounds

DELTA = 0.2


def measure(settings, sequence):
    """Means and printed bounds at ε₁ = e/w and the depth that δ asks for."""
    n, width = settings["n"], settings["width"]
    depth = math.ceil(math.log(n * max(settings["horizons"]) / DELTA))
    sketch = sl.CountMinSketch(width, depth, decay="global")
    rate = np.e / width
    draws = convergence.measure(
        settings, sequence, sketch, lambda run, _: bounds.theorem_4_1(run, rate)
    )
    # a draw counts as one: its mean over replicates is all that is judged
    return [
        draw | {"means": np.mean(draw["means"], axis=1, keepdims=True).tolist()} for draw in draws
    ]


def judge(measurements):
    """The share of draws above the bound against δ."""
    finding = convergence.judge_with_probability(measurements, DELTA)
    return finding._replace(
        note=f"{finding.note}; the interval is of the share of hash draws above it, δ = {DELTA}"
    )


CLAIM = Claim(
    name="theorem-4-1",
    statement="the printed bound on mean ‖∇f‖² of linearly sketched RMSprop, with probability 1−δ",
    source="Spring et al. 2019, Theorem 4.1 / B.1; theory §2",
    expected="holds",
    sizes={
        "tiny": convergence.SIZES["tiny"] | {"draws": 50, "horizons": [5]},
        "quick": convergence.SIZES["quick"]
        | {"n": 50, "touched": [1], "horizons": [25, 100], "columns": 4, "draws": 50},
        "full": convergence.SIZES["full"]
        | {"n": 200, "noises": [0, 1], "touched": [0.3, 1], "horizons": [50, 400], "draws": 60},
    },
    cells=convergence.cells,
    measure=measure,
    judge=judge,
    duration={"quick": "5 s", "full": "1 min"},
)
