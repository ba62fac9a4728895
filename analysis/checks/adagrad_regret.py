"""Adagrad's average regret on convex sparse problems: T^(−1/2) or faster, exact and sketched.

Regret is against the planted minimum, of the expected loss of each step's batch; one run gives
every horizon, since Adagrad needs no horizon (theory §5). The learning rate is above the distance
to the minimum, so that noise and not the way there makes the regret: with a tenth of it the runs
of this length are still on their way, sketched ones longer, and their slopes say nothing.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.checks.draws import any_size, hash_seed
from analysis.lab.intervals import at_most, bootstrap_slope, together
from analysis.problems.linear_models import HuberRegression, SparseLeastSquares, SparseLogistic

PROBLEMS = {
    "least squares": SparseLeastSquares,
    "logistic": SparseLogistic,
    "huber": HuberRegression,
}
FORMS = {
    "exact": lambda compression, seed: sl.Dense(),
    "count-min": lambda compression, seed: sl.CountMinSketch(compression=compression, seed=seed),
    "conservative": lambda compression, seed: sl.CountMinSketch(
        compression=compression, conservative=True, seed=seed
    ),
}
_RATE = 1.5


def cells(problems, n, samples, horizons, compression, draws, tolerance):
    """One cell a problem and draw of data, order and hash functions."""
    return [
        {
            "problem": problem,
            "n": n,
            "samples": samples,
            "horizons": horizons,
            "compression": compression,
            "tolerance": tolerance,
            "draw": draw,
        }
        for problem in problems
        for draw in range(draws)
    ]


def measure(settings, sequence):
    """Average regret at every horizon, for every form of v."""
    data, hashing, order = sequence.spawn(3)
    make = PROBLEMS[settings["problem"]]
    problem = make(settings["n"], settings["samples"], 8, 1.1, np.random.default_rng(data))
    seed = hash_seed(hashing)
    return {
        name: _regret(problem, form(settings["compression"], seed), settings["horizons"], order)
        for name, form in FORMS.items()
    }


def _regret(problem, v, horizons, order):
    generator, table = np.random.default_rng(order), problem.start()
    with any_size():
        optimizer = sl.Adagrad(table, _RATE, v=v, backend="reference", check_finite=False)
    excess = []
    for _ in range(max(horizons)):
        chosen = problem.draw(generator)
        excess.append(problem.batch_excess(table, chosen))
        rows, gradients = problem.batch_gradient(table, chosen, generator)
        optimizer.step(gradients, rows=rows)
    return [float(np.mean(excess[:horizon])) for horizon in horizons]


def judge(measurements):
    """Every slope, by its bootstrap interval over draws, against −1/2."""
    horizons, tolerance = (measurements[0][0][key] for key in ("horizons", "tolerance"))
    problems = sorted({settings["problem"] for settings, _ in measurements})
    comparisons, slopes, curves = len(problems) * len(FORMS), {}, []
    for problem in problems:
        for form in FORMS:
            runs = [r[form] for s, r in measurements if s["problem"] == problem]
            ends = bootstrap_slope(horizons, runs, claim_error() / comparisons)
            slopes[f"{problem}, {form}"] = ends
            mean = np.mean(runs, axis=0).tolist()
            curves.append({"problem": problem, "form": form, "regret": mean, "slope": ends})
    slowest = max(slopes.values())
    shown = ", ".join(f"{name} {ends[0]:.2f}" for name, ends in slopes.items())
    limit = -0.5 + tolerance
    return Finding(
        verdict=together(at_most(low, high, limit) for _, low, high in slopes.values()),
        measured=slowest[0],
        bound=-0.5,
        interval=list(slowest[1:]),
        draws=len(measurements) // len(problems),
        comparisons=comparisons,
        note=f"slopes of average regret in T = {horizons[0]} … {horizons[-1]}: {shown}; at most "
        f"−1/2{f', give or take {tolerance}' if tolerance else ''}",
        curves={"horizons": horizons, "regret": curves},
    )


CLAIM = Claim(
    name="adagrad-regret",
    statement="Adagrad's average regret falls at least as T^(−1/2), exact and sketched, on convex "
    "sparse problems",
    source="Duchi, Hazan & Singer 2011; theory §5",
    expected="holds",
    sizes={
        "tiny": {
            "problems": ["least squares"],
            "n": 30,
            "samples": 60,
            "horizons": [50, 800],
            "compression": 2,
            "draws": 8,
            "tolerance": 0.05,
        },
        "quick": {
            "problems": ["least squares", "logistic"],
            "n": 60,
            "samples": 300,
            "horizons": [500, 1000, 2000, 4000],
            "compression": 3,
            "draws": 8,
            "tolerance": 0.05,
        },
        "full": {
            "problems": ["least squares", "logistic", "huber"],
            "n": 300,
            "samples": 1500,
            "horizons": [1500, 4500, 13_500],
            "compression": 4,
            "draws": 8,
            "tolerance": 0,
        },
    },
    cells=cells,
    measure=measure,
    judge=judge,
    duration={"quick": "15 s", "full": "2 min"},
)
