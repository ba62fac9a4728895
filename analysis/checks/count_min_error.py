"""Count-min point queries: how often they err by more than ε₁‖x‖₁ (theory §1)."""

import numpy as np

import sketchlab as sl
from analysis.checks import vectors
from analysis.checks.claim import Claim
from analysis.checks.draws import independent_answers
from analysis.checks.rates import judge_rates
from analysis.theory import bounds

KINDS = ("0.5", "1", "1.5", "2", "gaussian")


def cells(n, widths, depths, draws):
    """One cell a width and depth."""
    return [
        {"n": n, "width": width, "depth": depth, "draws": draws}
        for width in widths
        for depth in depths
    ]


def measure(settings, sequence):
    """Count failures of the first, the middle and the last entry at ε₁ = e/w."""
    n, width, depth = settings["n"], settings["width"], settings["depth"]
    data, hashing = sequence.spawn(2)
    generator = np.random.default_rng(data)
    values = np.abs(np.stack([vectors.named(kind, n, generator) for kind in KINDS], axis=1))
    entries = np.array([0, n // 2, n - 1])
    sketch = sl.CountMinSketch(width=width, depth=depth, decay="global")
    answers = independent_answers(sketch, values, entries, settings["draws"], hashing)
    rate = np.e / width
    failed = answers - values[entries] > rate * values.sum(axis=0)
    return {
        "failures": {"plain": failed.sum(axis=0).tolist()},
        "bounds": {"plain": bounds.count_min_failure(width, depth, rate)},
    }


def judge(measurements):
    """Every failure rate against e^(−v)."""
    finding = judge_rates(measurements)
    note = f"failure rates of three entries for Zipf 0.5–2 and |Gaussian| vectors; {finding.note}"
    return finding._replace(note=note)


CLAIM = Claim(
    name="count-min-error",
    statement="a count-min sketch errs by more than ε₁‖x‖₁ with probability at most e^(−v)",
    source="Cormode & Muthukrishnan 2005; theory §1",
    expected="holds",
    sizes={
        "tiny": {"n": 60, "widths": [6], "depths": [2], "draws": 1000},
        "quick": {"n": 500, "widths": [8, 32, 128], "depths": [1, 2, 3], "draws": 3000},
        "full": {"n": 2000, "widths": [8, 32, 128, 512], "depths": [1, 2, 3, 5], "draws": 10_000},
    },
    cells=cells,
    measure=measure,
    judge=judge,
    duration={"quick": "3 s", "full": "2 min"},
)
