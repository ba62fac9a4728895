"""Runs of the convergence theorems' algorithm, set beside the bounds; shared by several checks.

A check that nothing could break shows nothing, so the instances are chosen such that every bound is
below sup ‖∇f‖², the value that a method which never moves could have, and such that without noise
the bound is within `TIGHT` times what is measured. Both are part of the verdict.

* without noise: the largest steps that the conditions allow, ε = 4G√(1−β) and η = ε/(2L);
* far out: rows on Huber losses, whose gradients stay 1 for as long as a 40th of the steps would
  take at the mean load of a bucket, and ε = G/10, so small that v̂ decides on the steps (theorem B
  asks for no relation of ε to β). Rows that ascend, or v̂ that is much too small, show here;
* with noise (and with rows left out at random, which is noise too): ε = 3G and a tenth (3 %) of the
  largest η, as for ε ≪ G the terms in σ² alone are above sup ‖∇f‖².
"""

import numpy as np

from analysis.checks.claim import Finding, claim_error
from analysis.checks.draws import any_size, hash_seed
from analysis.checks.rates import tightness
from analysis.lab.intervals import (
    HOLDS,
    REFUTED,
    UNDECIDED,
    at_most,
    mean_interval,
    together,
)
from analysis.problems.bowls import Bowls
from analysis.problems.huber_rows import HuberRows
from analysis.theory.descent import Descent
from analysis.training.theorem import UncorrectedRMSprop, run

#: Without noise a bound is at most this many times what is measured.
TIGHT = 10
#: Steps over those that rows far out need at the mean load.
_ARRIVAL = 40
FAR_OUT = "far out"
INSTANCES = {
    "no noise": {"noise": 0, "touched": 1, "beta": 0.99, "eps": 0.4, "lr": 1},
    FAR_OUT: {"noise": 0, "touched": 1, "beta": 0.9, "eps": 0.1, "lr": 1},
    "noise": {"noise": 0.5, "touched": 1, "beta": 0.9999, "eps": 3, "lr": 0.1},
    "rows left out": {"noise": 0.5, "touched": 0.3, "beta": 0.9999, "eps": 3, "lr": 0.03},
}


def runs(n, widths, horizons, columns, draws):
    """One run for each instance and width; `horizons` gives each instance its own."""
    return [
        {
            "instance": name,
            **INSTANCES[name],
            "n": n,
            "width": width,
            "horizons": known,
            "columns": columns,
            "draws": draws,
        }
        for name, known in horizons.items()
        for width in widths
    ]


def measure(settings, sequence, description, bound_of):
    """Mean ‖∇f‖² of every replicate and horizon T, and the bound, for each draw of hashes.

    ``bound_of(run, buckets)`` gives the bound; columns share a draw's hash functions and are
    replicates with noise of their own.
    """
    problem = _problem(settings)
    cases = [described(problem, settings, steps) for steps in settings["horizons"]]
    return [
        _one_draw(problem, cases, settings["columns"], description, bound_of, child)
        for child in sequence.spawn(settings["draws"])
    ]


def _problem(settings):
    n = settings["n"]
    if settings["instance"] != FAR_OUT:
        return Bowls(np.ones(n), settings["noise"], settings["touched"])
    case = described(HuberRows(n, 1.0), settings, settings["horizons"][0])
    height = np.sqrt(1 + n / settings["width"]) + case.eps
    return HuberRows(n, 1 + case.steps / _ARRIVAL * case.lr / height)


def _one_draw(problem, cases, columns, description, bound_of, sequence):
    data, hashing = sequence.spawn(2)
    sketch = description.with_seed(hash_seed(hashing))
    norms, buckets = trajectory(problem, cases[-1], sketch, np.random.default_rng(data), columns)
    return {
        "means": [norms[: case.steps].mean(axis=0).tolist() for case in cases],
        "bounds": [float(bound_of(case, buckets)) for case in cases],
        "steepest": problem.steepest,
    }


def described(problem, settings, steps):
    """A run with ε as a multiple of G, and η as a share of ε/(2L)."""
    # a little above 4G√(1−β), lest rounding break the condition
    eps = settings["eps"] * problem.gradient_bounds.max() * (1 + 1e-12)
    return Descent(
        gap=float(problem.value(problem.start())[0] - problem.minimum),
        smoothness=problem.smoothness,
        gradient_bounds=problem.gradient_bounds,
        variances=problem.deviations**2,
        lr=settings["lr"] * eps / (2 * problem.smoothness),
        beta=settings["beta"],
        eps=eps,
        steps=steps,
    )


def trajectory(problem, case, sketch, generator=None, columns=1):
    """‖∇f(x_t)‖² of a run, (steps, columns), and the sketch's buckets of all rows."""
    with any_size():
        optimizer = UncorrectedRMSprop(problem.start(columns), case.lr, case.beta, case.eps, sketch)
    norms = run(problem, optimizer, case.steps, generator)
    return norms, optimizer.v.buckets(np.arange(problem.size))


def judge(measurements):
    """Every draw's expectation, by Student's interval over its replicates, against its bound.

    Undecided where a bound is not below sup ‖∇f‖²: then nothing was shown.
    """
    cases = [
        (settings, means, bound, draw["steepest"])
        for settings, result in measurements
        for draw in result
        for means, bound in zip(draw["means"], draw["bounds"])
    ]
    verdicts = []
    for settings, means, bound, steepest in cases:
        mean, low, high = mean_interval(means, claim_error() / len(cases))
        verdicts.append(at_most(low, high, bound))
        verdicts.append(HOLDS if bound < steepest else UNDECIDED)
        if not settings["noise"]:
            verdicts.append(HOLDS if bound <= TIGHT * mean else REFUTED)
    return _finding(measurements, cases, together(verdicts))


def _finding(measurements, cases, verdict):
    ratios = {name: [] for name in INSTANCES}
    for settings, means, bound, _ in cases:
        ratios[settings["instance"]].append(bound / np.mean(means))
    shown = "; ".join(f"{name} {_spread(found)}" for name, found in ratios.items() if found)
    _, means, bound, _ = min(cases, key=lambda case: case[2] / np.mean(case[1]))
    share = max(bound / steepest for *_, bound, steepest in cases)
    return Finding(
        verdict=verdict,
        measured=float(np.mean(means)),
        bound=bound,
        interval=None,
        draws=sum(settings["draws"] for settings, _ in measurements),
        comparisons=len(cases),
        note=f"bound over measured: {shown}; every bound is at most {share:.2f} of sup ‖∇f‖²",
        curves={
            "tightness": tightness([r for found in ratios.values() for r in found]),
            "cells": [_curve(settings, results) for settings, results in measurements],
        },
    )


def _spread(ratios):
    return f"{min(ratios):.3g} to {max(ratios):.3g} (median {np.median(ratios):.3g})"


def _curve(settings, results):
    return {
        "settings": settings,
        "means": np.mean([r["means"] for r in results], axis=(0, 2)).tolist(),
        "bounds": np.mean([r["bounds"] for r in results], axis=0).tolist(),
    }


SIZES = {
    "tiny": {
        "n": 20,
        "widths": [5],
        "horizons": {"no noise": [300], FAR_OUT: [3000], "noise": [1500]},
        "columns": 4,
        "draws": 2,
    },
    "quick": {
        "n": 100,
        "widths": [10, 50],
        "horizons": {
            "no noise": [500, 2000],
            FAR_OUT: [4000],
            "noise": [2000],
            "rows left out": [3000],
        },
        "columns": 6,
        "draws": 3,
    },
    "full": {
        "n": 200,
        "widths": [10, 50],
        "horizons": {
            "no noise": [500, 2000, 4000],
            FAR_OUT: [4000],
            "noise": [2000, 4000],
            "rows left out": [3000, 6000],
        },
        "columns": 6,
        "draws": 4,
    },
}
