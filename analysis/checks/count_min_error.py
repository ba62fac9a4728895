"""Count-min point queries: how often they err by more than ε₁‖x‖₁ (theory §1).

The bound is nearly met by ⌈w/e⌉ − 1 equal entries, of which one suffices to exceed ε₁‖x‖₁: a row
fails with probability 1 − (1 − 1/w)^(w/e), 0.31, where 1/e is allowed. Their ids are far apart:
multiply-shift spreads consecutive ones, as of a sorted vocabulary, better than chance, and one row
then fails 0.23 of the time.
"""

import math

import numpy as np

import sketchlab as sl
from analysis.checks import vectors
from analysis.checks.claim import Claim
from analysis.checks.draws import errors_beside, independent_answers
from analysis.checks.rates import judge_rates
from analysis.theory import bounds

KINDS = ("0.5", "1", "1.5", "2", "gaussian")
#: Few entries are cheap, and their rate is close to the bound: this many times the draws.
FEW_DRAWS = 10


def runs(n, widths, depths, draws):
    """One run for each width and depth."""
    return [
        {"n": n, "width": width, "depth": depth, "draws": draws}
        for width in widths
        for depth in depths
    ]


def measure(settings, sequence):
    """Count failures of the first, the middle and the last entry at ε₁ = e/w, and beside few."""
    n, width, depth = settings["n"], settings["width"], settings["depth"]
    data, hashing, scattering = sequence.spawn(3)
    generator = np.random.default_rng(data)
    values = np.abs(np.stack([vectors.named(kind, n, generator) for kind in KINDS], axis=1))
    entries = np.array([0, n // 2, n - 1])
    sketch = sl.CountMinSketch(width=width, depth=depth, decay="global")
    answers = independent_answers(sketch, values, entries, settings["draws"], hashing)
    rate = np.e / width
    failed = answers - values[entries] > rate * values.sum(axis=0)
    many = FEW_DRAWS * settings["draws"]
    excess = beside_few(sketch, math.ceil(width / np.e) - 1, many, scattering)
    return {
        "failures": {"plain": failed.sum(axis=0).tolist(), "few": int((excess > 0).sum())},
        "bounds": dict.fromkeys(("plain", "few"), bounds.count_min_failure(width, depth, rate)),
        "draws": {"few": many},
    }


def beside_few(sketch, count, draws, sequence):
    """Answers of independent sketches about a 0 beside `count` ones, (draws,)."""
    return errors_beside(sketch, np.ones(count), draws, sequence, asked=1)[:, 0]


def judge(measurements):
    """Every failure rate against e^(−v)."""
    finding = judge_rates(measurements)
    note = "failure rates of three entries for Zipf 0.5–2 and |Gaussian| vectors, and beside few"
    note = f"{note}; {finding.note}"
    return finding._replace(note=note)


CLAIM = Claim(
    name="count-min-error",
    statement="a count-min sketch errs by more than ε₁‖x‖₁ with probability at most e^(−v)",
    source="Cormode & Muthukrishnan 2005; theory §1",
    expected="holds",
    sizes={
        "tiny": {"n": 60, "widths": [6], "depths": [2], "draws": 1000},
        "quick": {"n": 500, "widths": [8, 32, 128], "depths": [1, 2, 3], "draws": 3000},
        "full": {"n": 1000, "widths": [8, 32, 128, 512], "depths": [1, 2, 3, 4], "draws": 10_000},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "3 s", "full": "2 min"},
)
