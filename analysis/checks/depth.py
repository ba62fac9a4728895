"""Failure against depth: e^(−v) for count-min, a binomial tail for count-sketch (theory §1)."""

import numpy as np

import sketchlab as sl
from analysis.checks import vectors
from analysis.checks.claim import Claim
from analysis.checks.draws import independent_answers
from analysis.checks.rates import judge_rates
from analysis.theory import bounds

KINDS = {"count-sketch": sl.CountSketch, "count-min": sl.CountMinSketch}


def cells(n, width, depths, draws):
    """One cell a kind of sketch and depth."""
    return [
        {"kind": kind, "n": n, "width": width, "depth": depth, "draws": draws}
        for kind in KINDS
        for depth in depths
    ]


def measure(settings, sequence):
    """Failures of the last entry, for three vectors at the rate where a row may fail often."""
    n, width, depth = settings["n"], settings["width"], settings["depth"]
    values = np.stack([vectors.power_law(n, exponent) for exponent in (0, 0.5, 1)], axis=1)
    last = np.array([n - 1])
    sketch = KINDS[settings["kind"]](width=width, depth=depth, decay="global")
    answers = independent_answers(sketch, values, last, settings["draws"], sequence)
    errors = np.abs(answers - values[last])
    if settings["kind"] == "count-min":
        rate, norm = np.e / width, values.sum(axis=0)
        bound = bounds.count_min_failure(width, depth, rate)
    else:
        rate, norm = np.sqrt(3 / width), np.sqrt((values**2).sum(axis=0))
        bound = bounds.count_sketch_failure(width, depth, rate)
    failures = (errors > rate * norm).sum(axis=0)
    return {"failures": {"last": failures.tolist()}, "bounds": {"last": bound}}


def judge(measurements):
    """Every failure rate against e^(−v) or the binomial tail."""
    finding = judge_rates(measurements)
    return finding._replace(
        note=f"last of the entries of flat, Zipf 0.5 and Zipf 1 vectors; {finding.note}",
        curves={"depths": _curve(measurements)},
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
        "full": {"n": 300, "width": 12, "depths": list(range(1, 9)), "draws": 40_000},
    },
    cells=cells,
    measure=measure,
    judge=judge,
    duration={"quick": "3 s", "full": "1 min"},
)
