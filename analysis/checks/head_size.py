"""How large a head of exact rows should be, and how deep the sketch beside it (theory §1).

Of a fixed number of cells, h hold one row each and the others are buckets. With one row of buckets
the expected error of a row outside is known exactly, Σ_{i>h} x_i/(cells − h), and smallest where
the head holds just the rows that are larger than it. Beside that head more rows of buckets only
make it worse, as what is left is flat: depth is a substitute for a head. Without one,
count-sketches do better with three rows than with one (Aamand, Indyk & Vakilian 2019: a constant
above one). Squares in the place of values for count-sketches, whose error is in the mean square.

An expected error is met to a tolerance that is part of the sizes: half of the buckets would double
the error, and the draws of a size resolve about half of it (power laws beyond 1 have few heavy
entries, which make most of a count-sketch's mean square). The note gives the smallest tolerance at
which the verdict is the same.
"""

import numpy as np

import sketchlab as sl
from analysis.checks import vectors
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.checks.draws import errors_beside
from analysis.checks.rates import tightness
from analysis.lab.intervals import (
    HOLDS,
    REFUTED,
    UNDECIDED,
    departure,
    mean_interval,
    near,
    together,
)
from analysis.theory import bounds

KINDS = {"count-min": (sl.CountMinSketch, 1), "count-sketch": (sl.CountSketch, 2)}
#: Heads that are tried, as multiples of the predicted one.
HEADS = (0, 0.4, 1, 1.7)
DEPTHS = (1, 2, 3)
#: No other choice is better by this share: around its least the error is flat.
_TOLERANCE = 0.1


def runs(exponents, n, cells, draws, groups, tolerance):
    """One run for each kind of sketch, exponent and head; at the best head for each depth, too."""
    return [
        {
            "kind": kind,
            "exponent": exponent,
            "n": n,
            "cells": cells,
            "head": head,
            "depth": depth,
            "draws": draws,
            "groups": groups,
            "tolerance": tolerance,
        }
        for kind in KINDS
        for exponent in exponents
        for head in HEADS
        for depth in (DEPTHS if head == 1 else DEPTHS[:1])
    ]


def measure(settings, sequence):
    """Mean error (of count-sketches: squared) about zeros, in groups, and what is expected."""
    kind, power = KINDS[settings["kind"]]
    values = vectors.power_law(settings["n"], settings["exponent"])
    best = bounds.best_head(values**power, settings["cells"])
    head = min(round(settings["head"] * best), settings["cells"] - settings["depth"])
    width = (settings["cells"] - head) // settings["depth"]
    sketch = kind(width=width, depth=settings["depth"], decay="global")
    errors = [
        float(
            (np.abs(errors_beside(sketch, values[head:], settings["draws"], child)) ** power).mean()
        )
        for child in sequence.spawn(settings["groups"])
    ]
    expected = bounds.head_error(values**power, head, settings["cells"])
    return {"errors": errors, "expected": expected, "head": head}


def judge(measurements):
    """One row's error as expected, and no other head or depth clearly better."""
    level, verdicts, ratios, worse = claim_error() / (2 * len(measurements)), [], [], []
    tolerance, furthest = measurements[0][0]["tolerance"], 0.0
    best = {
        (s["kind"], s["exponent"]): np.array(r["errors"])
        for s, r in measurements
        if (s["head"], s["depth"]) == (1, 1)
    }
    for settings, result in measurements:
        errors, expected = np.array(result["errors"]), result["expected"]
        if settings["depth"] == 1:
            _, low, high = mean_interval(errors, level)
            verdicts.append(near(low, high, expected, tolerance * expected))
            furthest = max(furthest, departure(low, high, expected))
            ratios.append(expected / errors.mean())
        least = best[settings["kind"], settings["exponent"]]
        if (settings["head"], settings["depth"]) != (1, 1):
            _, low, high = mean_interval(errors - least, level)
            allowed = 0 if settings["head"] == 0 else -_TOLERANCE * least.mean()
            verdicts.append(HOLDS if low > allowed else REFUTED if high < allowed else UNDECIDED)
            worse.append((errors.mean() / least.mean(), settings))
    deeper = [ratio for ratio, s in worse if s["depth"] > 1]
    headless = [ratio for ratio, s in worse if s["head"] == 0]
    others = [ratio for ratio, s in worse if s["depth"] == 1 and s["head"]]
    settings = measurements[0][0]
    return Finding(
        verdict=together(verdicts),
        measured=float(min(others)),
        bound=1.0,
        interval=None,
        draws=settings["draws"] * settings["groups"],
        comparisons=2 * len(measurements),
        note="errors over those of the predicted head with one row of buckets: without a head "
        f"{min(headless):.2g} to {max(headless):.2g}, with {HEADS[1]} and {HEADS[3]} times the "
        f"head {min(others):.2f} to {max(others):.2f}, with 2 or 3 rows {min(deeper):.2f} to "
        f"{max(deeper):.2f}; expected errors met to {tolerance:.0%} (all intervals within "
        f"{furthest:.1%})",
        curves={
            "tightness": tightness(ratios),
            "cells": [{"settings": s, **result} for s, result in measurements],
        },
    )


CLAIM = Claim(
    name="head-size",
    statement="the best head holds the rows that are larger than the error of those outside, and "
    "beside it more than one row of buckets gains nothing",
    source="after Aamand, Indyk & Vakilian 2019; theory §1",
    expected="holds",
    sizes={
        "tiny": {
            "exponents": [1.0],
            "n": 300,
            "cells": 40,
            "draws": 300,
            "groups": 16,
            "tolerance": 0.25,
        },
        "quick": {
            "exponents": [0.8, 1.2],
            "n": 600,
            "cells": 80,
            "draws": 300,
            "groups": 16,
            "tolerance": 0.25,
        },
        "full": {
            "exponents": [0.8, 1.0, 1.2],
            "n": 1000,
            "cells": 125,
            "draws": 500,
            "groups": 32,
            "tolerance": 0.15,
        },
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "15 s", "full": "8 min"},
)
