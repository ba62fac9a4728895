"""Failure against depth: e^(−v) for count-min, a binomial tail for count-sketch (theory §1).

As the rows of a sketch are independent, v of them all fail exactly as often as one does, to the
power of v. For count-min that is an equality, which is judged on few equal entries (see
`count-min-error`): the interval of every depth's rate against that of one row's, to the power.
"""

import math

import numpy as np

import sketchlab as sl
from analysis.checks import vectors
from analysis.checks.claim import Claim, claim_error
from analysis.checks.count_min_error import FEW_DRAWS, beside_few
from analysis.checks.draws import independent_answers
from analysis.checks.rates import judge_rates
from analysis.lab.intervals import REFUTED, clopper_pearson
from analysis.theory import bounds

KINDS = {"count-sketch": sl.CountSketch, "count-min": sl.CountMinSketch}


def runs(n, width, depths, draws):
    """One run for each kind of sketch and depth."""
    return [
        {"kind": kind, "n": n, "width": width, "depth": depth, "draws": draws}
        for kind in KINDS
        for depth in depths
    ]


def measure(settings, sequence):
    """Failures of the last entry, for three vectors at the rate where a row may fail often."""
    n, width, depth = settings["n"], settings["width"], settings["depth"]
    values = np.stack([vectors.power_law(n, exponent) for exponent in (0, 0.5, 1)], axis=1)
    last, (hashing, scattering) = np.array([n - 1]), sequence.spawn(2)
    sketch = KINDS[settings["kind"]](width=width, depth=depth, decay="global")
    answers = independent_answers(sketch, values, last, settings["draws"], hashing)
    errors = np.abs(answers - values[last])
    if settings["kind"] == "count-min":
        rate, norm = np.e / width, values.sum(axis=0)
        bound = bounds.count_min_failure(width, depth, rate)
    else:
        rate, norm = np.sqrt(3 / width), np.sqrt((values**2).sum(axis=0))
        bound = bounds.count_sketch_failure(width, depth, rate)
    many = FEW_DRAWS * settings["draws"]
    failures = {"last": (errors > rate * norm).sum(axis=0).tolist()}
    if settings["kind"] == "count-min":
        few = beside_few(sketch, math.ceil(width / np.e) - 1, many, scattering)
        failures["few"] = int((few > 0).sum())
    return {
        "failures": failures,
        "bounds": dict.fromkeys(failures, bound),
        "draws": {"few": many},
    }


def judge(measurements):
    """Every failure rate against e^(−v) or the binomial tail, and powers of one row's rate."""
    few = {
        settings["depth"]: (result["failures"]["few"], result["draws"]["few"])
        for settings, result in measurements
        if "few" in result["failures"]
    }
    finding = judge_rates(measurements, others=len(few))
    level = claim_error() / finding.comparisons
    low, high = clopper_pearson(*few[1], level)
    unequal = [
        depth
        for depth, counts in few.items()
        for ends in [clopper_pearson(*counts, level)]
        if ends[0] > high**depth or ends[1] < low**depth
    ]
    shown = ", ".join(f"{count / draws:.2g}" for count, draws in few.values())
    return finding._replace(
        verdict=REFUTED if unequal else finding.verdict,
        note=f"last of the entries of flat, Zipf 0.5 and Zipf 1 vectors; {finding.note}; beside "
        f"few {shown}: powers of the first{f', but at depths {unequal}' if unequal else ''}",
        curves={"depths": _curve(measurements), "tightness": finding.curves["tightness"]},
    )


def _curve(measurements):
    return [
        {
            "kind": settings["kind"],
            "depth": settings["depth"],
            "rates": (np.ravel(result["failures"]["last"]) / settings["draws"]).tolist(),
            "bound": result["bounds"]["last"],
        }
        for settings, result in measurements
    ]


CLAIM = Claim(
    name="depth",
    statement="the failure probability falls with depth as e^(−v) (count-min) and as a binomial "
    "tail (count-sketch)",
    source="Charikar et al. 2002; Cormode & Muthukrishnan 2005; theory §1",
    expected="holds",
    sizes={
        "tiny": {"n": 30, "width": 6, "depths": [1, 3], "draws": 1000},
        "quick": {"n": 100, "width": 12, "depths": [1, 2, 3, 4, 5, 6], "draws": 10_000},
        # no failure at all in d draws proves a rate below 10.6/d: enough for e^(−8)
        "full": {"n": 100, "width": 12, "depths": [1, 2, 3, 4, 5, 6, 7, 8], "draws": 40_000},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "3 s", "full": "1 min"},
)
