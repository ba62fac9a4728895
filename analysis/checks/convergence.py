"""Runs of the convergence theorems' algorithm under their conditions, shared by three checks."""

import numpy as np

from analysis.checks.claim import Finding, claim_error
from analysis.checks.draws import any_size, hash_seed
from analysis.lab.intervals import at_most, clopper_pearson, mean_interval, together
from analysis.problems.bowls import Bowls
from analysis.theory.bounds import Descent, conditions_hold
from analysis.training.theorem import UncorrectedRMSprop, run


def cells(n, widths, noises, touched, horizons, beta, columns, draws):
    """One cell a width, noise and chance of being touched."""
    return [
        {
            "n": n,
            "width": width,
            "noise": noise,
            "touched": chance,
            "horizons": horizons,
            "beta": beta,
            "columns": columns,
            "draws": draws,
        }
        for width in widths
        for noise in noises
        for chance in touched
    ]


def measure(settings, sequence, description, bound_of):
    """Mean ‖∇f‖² of every replicate and horizon T, and the bound, for each draw of hashes.

    ``bound_of(run, buckets)`` gives the bound; columns share a draw's hash functions and are
    replicates with noise of their own.
    """
    problem = Bowls(np.ones(settings["n"]), settings["noise"], settings["touched"])
    results = []
    for child in sequence.spawn(settings["draws"]):
        data, hashing = child.spawn(2)
        known = [described(problem, settings["beta"], steps) for steps in settings["horizons"]]
        assert all(map(conditions_hold, known))
        table = problem.start(settings["columns"])
        sketch = description.with_seed(hash_seed(hashing))
        with any_size():
            case = known[0]
            optimizer = UncorrectedRMSprop(table, case.lr, case.beta, case.eps, sketch)
        norms = run(problem, optimizer, max(settings["horizons"]), np.random.default_rng(data))
        buckets = optimizer.v.buckets(np.arange(settings["n"]))
        results.append(
            {
                "means": [norms[: case.steps].mean(axis=0).tolist() for case in known],
                "bounds": [float(bound_of(case, buckets)) for case in known],
            }
        )
    return results


def described(problem, beta, steps):
    """The largest steps that the conditions allow: ε = 4G√(1−β), η = ε/(2L)."""
    eps = 4 * problem.gradient_bounds.max() * np.sqrt(1 - beta) * (1 + 1e-12)
    return Descent(
        gap=float(problem.value(problem.start())[0] - problem.minimum),
        smoothness=problem.smoothness,
        gradient_bounds=problem.gradient_bounds,
        variance=float((problem.deviations**2).sum()),
        lr=eps / (2 * problem.smoothness),
        beta=beta,
        eps=eps,
        steps=steps,
    )


def judge_given_hashes(measurements):
    """Every draw's expectation, by Student's interval over its replicates, against its bound."""
    cases = list(_cases(measurements))
    verdicts = []
    for means, bound in cases:
        _, low, high = mean_interval(means, claim_error() / len(cases))
        verdicts.append(at_most(low, high, bound))
    return _finding(measurements, cases, together(verdicts), None)


def judge_with_probability(measurements, delta):
    """The share of draws whose mean exceeds the bound, by Clopper–Pearson, against δ."""
    verdicts, worst = [], None
    horizons = len(measurements[0][0]["horizons"])
    comparisons = len(measurements) * horizons
    for settings, results in measurements:
        for at in range(horizons):
            over = sum(np.mean(r["means"][at]) > r["bounds"][at] for r in results)
            interval = clopper_pearson(over, settings["draws"], claim_error() / comparisons)
            verdicts.append(at_most(*interval, delta))
            worst = max(worst or interval, interval, key=lambda ends: ends[1])
    return _finding(measurements, list(_cases(measurements)), together(verdicts), worst)


def _cases(measurements):
    for _, results in measurements:
        for result in results:
            yield from zip(result["means"], result["bounds"])


def _finding(measurements, cases, verdict, interval):
    ratios = [bound / np.mean(means) for means, bound in cases]
    means, bound = cases[int(np.argmin(ratios))]
    return Finding(
        verdict=verdict,
        measured=float(np.mean(means)),
        bound=bound,
        interval=interval and [float(end) for end in interval],
        draws=sum(settings["draws"] for settings, _ in measurements),
        comparisons=len(cases) if interval is None else len(measurements),
        note=f"the bound is {min(ratios):.3g} to {max(ratios):.3g} times the measured mean "
        f"(median {np.median(ratios):.3g})",
        curves={"cells": [_curve(settings, results) for settings, results in measurements]},
    )


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
        "noises": [0.3],
        "touched": [1],
        "horizons": [20],
        "beta": 0.99,
        "columns": 4,
        "draws": 2,
    },
    "quick": {
        "n": 100,
        "widths": [5, 20, 100],
        "noises": [0, 0.5],
        "touched": [0.3, 1],
        "horizons": [50, 500],
        "beta": 0.99,
        "columns": 8,
        "draws": 3,
    },
    "full": {
        "n": 500,
        "widths": [10, 50, 250],
        "noises": [0, 0.5, 2],
        "touched": [0.1, 1],
        "horizons": [100, 1000, 3000],
        "beta": 0.99,
        "columns": 8,
        "draws": 3,
    },
}
