"""Sketched RMSprop keeps the rate of SGD: with η ∝ T^(−1/2), mean ‖∇f‖² ∝ T^(−1/2) (theory §5).

The claim is of SGD, RMSprop and Adam with sketched second moments. Adam with a sketched *first*
moment is run beside them and reported, not judged: no theorem covers it, and where gradients are
dense its error, a fixed mixture of other rows' moments, does not fall with T.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.checks.draws import any_size, hash_seed
from analysis.lab.intervals import bootstrap_slope, near, together
from analysis.problems.bowls import Bowls
from analysis.training.theorem import run

_RATE = 2.0
# A run that diverges is to be reported, not stopped.
_PLAIN = {"backend": "reference", "check_finite": False}


def _rmsprop(table, rate, v):
    return sl.RMSprop(table, rate, beta=0.99, eps=0.1, v=v, **_PLAIN)


def _adam(table, rate, m, v):
    return sl.Adam(table, rate, betas=(0.9, 0.99), eps=0.1, m=m, v=v, **_PLAIN)


def _exact():
    return sl.Dense("global")


def _linear(width, seed):
    return sl.CountMinSketch(width, decay="global", seed=seed)


def _conservative(width, seed):
    return sl.CountMinSketch(width, conservative=True, seed=seed)


OPTIMIZERS = {
    "SGD": lambda x, rate, w, seed: sl.SGD(x, rate, **_PLAIN),
    "RMSprop": lambda x, rate, w, seed: _rmsprop(x, rate, _exact()),
    "RMSprop, linear v": lambda x, rate, w, seed: _rmsprop(x, rate, _linear(w, seed)),
    "RMSprop, conservative v": lambda x, rate, w, seed: _rmsprop(x, rate, _conservative(w, seed)),
    "Adam": lambda x, rate, w, seed: _adam(x, rate, _exact(), _exact()),
    "Adam, linear v": lambda x, rate, w, seed: _adam(x, rate, _exact(), _linear(w, seed)),
    "Adam, sketched m": lambda x, rate, w, seed: _adam(
        x, rate, sl.CountSketch(w, decay="global", seed=seed), _linear(w, seed)
    ),
}
NOT_JUDGED = {"Adam, sketched m"}
EXACT = {"RMSprop, linear v": "RMSprop", "RMSprop, conservative v": "RMSprop"}
EXACT |= {"Adam, linear v": "Adam"}


def cells(n, width, horizons, columns, draws, tolerance):
    """One cell a draw of hash functions and noise."""
    return [
        {
            "n": n,
            "width": width,
            "horizons": horizons,
            "columns": columns,
            "tolerance": tolerance,
            "draw": draw,
        }
        for draw in range(draws)
    ]


def measure(settings, sequence):
    """Mean ‖∇f‖² at every horizon T, for every optimizer; one draw of hash functions."""
    data, hashing = sequence.spawn(2)
    problem, means = Bowls(np.ones(settings["n"]), noise=0.5), {}
    for name, make in OPTIMIZERS.items():
        means[name] = []
        for steps in settings["horizons"]:
            table = problem.start(settings["columns"])
            rate = _RATE / np.sqrt(steps)
            with any_size():
                optimizer = make(table, rate, settings["width"], hash_seed(hashing))
            norms = run(problem, optimizer, steps, np.random.default_rng(data))
            means[name].append(float(norms.mean()))
    return means


def judge(measurements):
    """Slopes near −1/2 and sketched ones near the exact optimizer's, by bootstrap intervals."""
    horizons, tolerance = (measurements[0][0][key] for key in ("horizons", "tolerance"))
    runs = {name: np.array([r[name] for _, r in measurements]) for name in OPTIMIZERS}
    comparisons = len(OPTIMIZERS) - len(NOT_JUDGED) + len(EXACT)
    level = claim_error() / comparisons
    slopes = {name: bootstrap_slope(horizons, run, level) for name, run in runs.items()}
    verdicts = [
        near(*slopes[name][1:], -0.5, tolerance) for name in OPTIMIZERS if name not in NOT_JUDGED
    ]
    differences = {
        name: _interval_of_difference(horizons, runs[name], runs[exact], level)
        for name, exact in EXACT.items()
    }
    verdicts += [near(*ends[1:], 0.0, tolerance) for ends in differences.values()]
    worst = max(set(OPTIMIZERS) - NOT_JUDGED, key=lambda name: abs(slopes[name][0] + 0.5))
    shown = ", ".join(f"{name} {ends[0]:.3f}" for name, ends in slopes.items())
    return Finding(
        verdict=together(verdicts),
        measured=slopes[worst][0],
        bound=-0.5,
        interval=list(slopes[worst][1:]),
        draws=len(measurements),
        comparisons=comparisons,
        note=f"slopes in T = {horizons[0]} … {horizons[-1]}: {shown}; within {tolerance} of −1/2 "
        "and of the exact optimizer's; the last is not covered by a theorem and not judged",
        curves={
            "horizons": horizons,
            "means": {name: run.mean(axis=0).tolist() for name, run in runs.items()},
            "slopes": slopes,
            "differences": differences,
        },
    )


def _interval_of_difference(x, runs, others, error):
    """Slope of the ratio of paired runs: the difference of their slopes."""
    return bootstrap_slope(x, runs / others, error, average=_geometric_mean)


def _geometric_mean(ratios, axis):
    return np.exp(np.log(ratios).mean(axis=axis))


CLAIM = Claim(
    name="sgd-rate",
    statement="with η ∝ T^(−1/2), mean ‖∇f‖² falls as T^(−1/2) for SGD and for RMSprop and Adam, "
    "exact and with sketched v",
    source="Spring et al. 2019, §5; Zaheer et al. 2018; theory §5",
    expected="holds",
    sizes={
        "tiny": {
            "n": 20,
            "width": 8,
            "horizons": [64, 256],
            "columns": 24,
            "draws": 8,
            "tolerance": 0.1,
        },
        "quick": {
            "n": 60,
            "width": 10,
            "horizons": [128, 512, 2048],
            "columns": 8,
            "draws": 8,
            "tolerance": 0.1,
        },
        "full": {
            "n": 100,
            "width": 12,
            "horizons": [2048, 8192, 32_768],
            "columns": 8,
            "draws": 6,
            "tolerance": 0.03,
        },
    },
    cells=cells,
    measure=measure,
    judge=judge,
    duration={"quick": "20 s", "full": "3 min"},
)
