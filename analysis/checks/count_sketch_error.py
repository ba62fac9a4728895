"""Count-sketch point queries: how often they err by more than ε₁‖x‖₂ (theory §1).

⌈w/3⌉ − 1 equal entries, of which one suffices to exceed √(3/w)·‖x‖₂, come close to Chebyshev's
bound for one row: 0.28 where 1/3 is allowed.
"""

import math

import numpy as np

import sketchlab as sl
from analysis.checks import vectors
from analysis.checks.claim import Claim
from analysis.checks.count_min_error import FEW_DRAWS, beside_few
from analysis.checks.draws import independent_answers
from analysis.checks.rates import judge_rates
from analysis.theory import bounds

KINDS = ("0.5", "1", "1.5", "2", "gaussian")


def runs(n, widths, depths, draws):
    """One run for each width and depth."""
    return [
        {"n": n, "width": width, "depth": depth, "draws": draws}
        for width in widths
        for depth in depths
    ]


def measure(settings, sequence):
    """Count failures of the first, the middle and the last entry, for every kind of vector.

    ε₁ makes a row fail with probability 1/3 at most: √(3/w), and √(6/w) for the form without
    the k = w/6 largest entries.
    """
    n, width, depth = settings["n"], settings["width"], settings["depth"]
    data, hashing, scattering = sequence.spawn(3)
    generator = np.random.default_rng(data)
    values = np.stack([vectors.named(kind, n, generator) for kind in KINDS], axis=1)
    entries = np.array([0, n // 2, n - 1])
    sketch = sl.CountSketch(width=width, depth=depth, decay="global")
    answers = independent_answers(sketch, values, entries, settings["draws"], hashing)
    errors = np.abs(answers - values[entries])
    rate, heavy = np.sqrt(3 / width), max(1, width // 6)
    tail = np.sort(np.abs(values), axis=0)[:-heavy]
    limits = {"plain": rate * _norms(values), "tail": np.sqrt(2) * rate * _norms(tail)}
    many = FEW_DRAWS * settings["draws"]
    few = beside_few(sketch, math.ceil(width / 3) - 1, many, scattering)
    failures = {form: (errors > limit).sum(axis=0).tolist() for form, limit in limits.items()}
    plain = bounds.count_sketch_failure(width, depth, rate)
    return {
        "failures": failures | {"few": int((few != 0).sum())},
        "draws": {"few": many},
        "bounds": {
            "plain": plain,
            "few": plain,
            "tail": bounds.count_sketch_tail_failure(width, depth, np.sqrt(2) * rate, heavy),
        },
        "mean_square_to_bound": (_mean_square(errors) / (_norms(values) ** 2 / width)).tolist(),
    }


def _norms(values):
    return np.sqrt((values**2).sum(axis=0))


def _mean_square(errors):
    return (errors**2).mean(axis=(0, 1))


def judge(measurements):
    """Every failure rate, for both norms, against its binomial tail."""
    finding = judge_rates(measurements)
    note = (
        "failure rates of three entries for Zipf 0.5–2 and Gaussian vectors, with ‖x‖₂ and with "
        f"the norm without the w/6 largest entries, and beside few; {finding.note}"
    )
    return finding._replace(note=note)


CLAIM = Claim(
    name="count-sketch-error",
    statement="a count-sketch errs by more than ε₁‖x‖₂ at most as often as a binomial tail says",
    source="Charikar, Chen & Farach-Colton 2002; theory §1",
    expected="holds",
    sizes={
        "tiny": {"n": 60, "widths": [12], "depths": [3], "draws": 1500},
        "quick": {"n": 500, "widths": [12, 48, 192], "depths": [1, 3, 5], "draws": 3000},
        "full": {"n": 1000, "widths": [12, 48, 192, 768], "depths": [1, 3, 5], "draws": 10_000},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "5 s", "full": "3 min"},
)
