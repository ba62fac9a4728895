"""The verdict on failure rates: Clopper–Pearson intervals set beside probabilities."""

import numpy as np

from analysis.checks.claim import Finding, claim_error
from analysis.lab.intervals import at_most, clopper_pearson, together


def judge_rates(measurements, others=0):
    """Judge "fails with probability at most the bound" over all runs and all their counts.

    Parameters
    ----------
    measurements : list of (settings, result)
        ``settings["draws"]``; ``result["failures"]`` and ``result["bounds"]`` are dicts with the
        same keys, of (arrays of) counts and of probabilities; ``result["draws"]`` of those that
        have more draws than the settings say.
    others : int
        Comparisons that the claim makes beside these.

    Returns
    -------
    Finding
        Of the case whose rate comes closest to its bound.
    """
    cases = [
        (count, result.get("draws", {}).get(form, settings["draws"]), result["bounds"][form])
        for settings, result in measurements
        for form, counts in result["failures"].items()
        for count in np.ravel(counts).tolist()
    ]
    judged = []
    for count, draws, bound in cases:
        low, high = clopper_pearson(count, draws, claim_error() / (len(cases) + others))
        judged.append((count / draws, bound, [float(low), float(high)], at_most(low, high, bound)))
    rate, bound, interval, _ = max(judged, key=lambda case: case[0] / case[1])
    return Finding(
        verdict=together(verdict for *_, verdict in judged),
        measured=rate,
        bound=bound,
        interval=interval,
        draws=max(draws for _, draws, _ in cases),
        comparisons=len(cases) + others,
        note=f"{len(cases)} rates, the largest {rate / bound:.2g} of its bound",
        curves={
            "tightness": tightness([bound / rate for rate, bound, *_ in judged if rate]),
            "cells": [{"settings": settings, **result} for settings, result in measurements],
        },
    )


def tightness(ratios):
    """The least and the median of some ratios, bound over measured; None where there are none."""
    return [float(np.min(ratios)), float(np.median(ratios))] if ratios else None
