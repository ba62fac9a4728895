"""How errors fall as a sketch widens: w^(−1/2), w^(−1), faster under power laws (theory §1).

Without heavy entries the two exponents are sharp. One row of a count-min sketch of n equal entries
errs by (n−1)/w on average; one row of a count-sketch of n normal ones by √(2/π)·E√B, B ~
Binomial(n−1, 1/w) being the number of others in the bucket. Not the exponents alone are judged: a
sketch that uses half of its buckets has the same, so that the errors themselves must be these
numbers. Half of the buckets would make them 1.41 (2) times as large; the tolerance, part of the
sizes, is far below that and about twice what the draws of that size resolve. The note gives the
smallest tolerance at which the verdict is the same. Power laws with exponents above 1/2 (1) and
three rows leave less, since the heavy entries meet few others. (Means of |error|, not of its
square: with pairwise independent hashes a few draws would make most of the latter.)
"""

import numpy as np
from scipy import stats

import sketchlab as sl
from analysis.checks import vectors
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.checks.draws import independent_answers
from analysis.lab.intervals import (
    at_most,
    bootstrap_slope,
    departure,
    mean_interval,
    near,
    together,
)

KINDS = {"count-sketch": (sl.CountSketch, -0.5), "count-min": (sl.CountMinSketch, -1.0)}
STEEPER = {"count-sketch": (1.0, 1.5, 2.0), "count-min": (1.5, 2.0)}
_TOLERANCE = 0.05
# With pairwise independent hashes errors vary much between draws; draws of one row are cheap.
_FLAT_DRAWS = 12


def runs(n, widths, groups, draws, tolerance):
    """One run for each kind of sketch and group of draws, at all widths."""
    return [
        {
            "kind": kind,
            "n": n,
            "widths": widths,
            "draws": draws,
            "group": group,
            "tolerance": tolerance,
        }
        for kind in KINDS
        for group in range(groups)
    ]


def measure(settings, sequence):
    """Mean errors at every width, of one row without heavy entries and of three on power laws."""
    kind, _ = KINDS[settings["kind"]]
    n, widths = settings["n"], settings["widths"]
    data, hashing = sequence.spawn(2)
    flat = vectors.power_law(n, 0)[:, None]
    if kind.signed:
        flat = vectors.named("gaussian", n, np.random.default_rng(data))[:, None]
    laws = np.stack([vectors.power_law(n, a) for a in STEEPER[settings["kind"]]], axis=1)
    errors = {"flat": [], "laws": []}
    for width, child in zip(widths, hashing.spawn(len(widths))):
        one, three = child.spawn(2)
        flat_draws = _FLAT_DRAWS * settings["draws"]
        off = _errors(kind(width=width, depth=1, decay="global"), flat, flat_draws, one)
        errors["flat"].append(float(off.mean()))
        off = _errors(kind(width=width, depth=3, decay="global"), laws, settings["draws"], three)
        errors["laws"].append(off.mean(axis=(0, 1)).tolist())
    return errors


def _errors(sketch, values, draws, sequence):
    entries = np.arange(0, len(values), max(1, len(values) // 32))
    answers = independent_answers(sketch, values, entries, draws, sequence)
    return np.abs(answers - values[entries])


def _flat_error(kind, n, widths):
    """Mean |error| of one row without heavy entries."""
    if kind == "count-min":
        return (n - 1) / widths
    roots = [stats.binom(n - 1, 1 / width).expect(np.sqrt) for width in widths]
    return np.sqrt(2 / np.pi) * np.array(roots)


def judge(measurements):
    """Exponents without heavy entries near −1/2 and −1, those of power laws below them."""
    comparisons = sum(1 + len(laws) for laws in STEEPER.values())
    verdicts, slopes, furthest = [], [], 0.0
    widths, n, tolerance = (measurements[0][0][key] for key in ("widths", "n", "tolerance"))
    comparisons += len(KINDS) * len(widths)
    for kind, (_, target) in KINDS.items():
        runs = [result for settings, result in measurements if settings["kind"] == kind]
        shares = [np.array(run["flat"]) / _flat_error(kind, n, np.array(widths)) for run in runs]
        _, lows, highs = mean_interval(shares, claim_error() / comparisons)
        verdicts += [near(low, high, 1.0, tolerance) for low, high in zip(lows, highs)]
        furthest = max(furthest, *map(departure, lows, highs, np.ones(len(lows))))
        flat = bootstrap_slope(widths, [run["flat"] for run in runs], claim_error() / comparisons)
        verdicts.append(near(*flat[1:], target, _TOLERANCE))
        slopes.append({"kind": kind, "exponent": 0, "slope": flat})
        for number, exponent in enumerate(STEEPER[kind]):
            curve = [[at[number] for at in run["laws"]] for run in runs]
            law = bootstrap_slope(widths, curve, claim_error() / comparisons)
            verdicts.append(at_most(*law[1:], target))
            slopes.append({"kind": kind, "exponent": exponent, "slope": law})
    measured, low, high = slopes[0]["slope"]
    shown = ", ".join(f"{s['kind']} a={s['exponent']:g}: {s['slope'][0]:.2f}" for s in slopes)
    return Finding(
        verdict=together(verdicts),
        measured=measured,
        bound=-0.5,
        interval=[low, high],
        draws=len(measurements) // len(KINDS) * measurements[0][0]["draws"],
        comparisons=comparisons,
        note=f"exponents in w for x_i ∝ i^(−a): {shown}; without heavy entries (a=0) within "
        f"{_TOLERANCE} of −1/2 and −1 and within {tolerance:.0%} of their size (all intervals "
        f"within {furthest:.1%}), the others below",
        curves={"slopes": slopes, "runs": [result for _, result in measurements]},
    )


CLAIM = Claim(
    name="graceful-width",
    statement="errors fall as w^(−1/2) (count-sketch) and w^(−1) (count-min), faster under power "
    "laws",
    source="theory §1",
    expected="holds",
    sizes={
        "tiny": {"n": 128, "widths": [4, 16], "groups": 16, "draws": 60, "tolerance": 0.15},
        "quick": {
            "n": 512,
            "widths": [8, 16, 32, 64, 128],
            "groups": 24,
            "draws": 50,
            "tolerance": 0.1,
        },
        "full": {
            "n": 2048,
            "widths": [8, 16, 32, 64, 128, 256, 512],
            "groups": 48,
            "draws": 100,
            "tolerance": 0.05,
        },
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "3 s", "full": "1 min"},
)
