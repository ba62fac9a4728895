"""What K rows of one bucket, all touched at every step, read in the end (theory §7).

A stationary stream, u_i the same at every step. With one row of buckets the fixed points are
known: the sum of the bucket's rows under `global`, their maximum under the conservative update,
their mean under `lazy`. With more rows of buckets the first two bound the answer from above, and
`lazy` balances on average: a bucket changes by (1−c)·Σ(u_i − x̂_i) at every step, so that the
bucket's estimates and truths, averaged over T steps, add up to the same but for what it holds
over T(1−c). Loads stay below the 2/(1−c) at which `lazy` turns unstable.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding
from analysis.checks.draws import allocate, hash_seed
from analysis.lab.intervals import HOLDS, REFUTED

FORMS = {
    "global": {"decay": "global"},
    "conservative": {"conservative": True},
    "lazy": {"decay": "lazy"},
}
_CONVERGED = 1e-6


def runs(loads, depths, keep, width, memories, draws):
    """One run for each form, load, depth and draw of values and hash functions."""
    return [
        {
            "form": form,
            "load": load,
            "depth": depth,
            "keep": keep,
            "width": width,
            "steps": round(memories / (1 - keep)),
            "draw": draw,
        }
        for form in FORMS
        for load in loads
        for depth in depths
        for draw in range(draws)
    ]


def measure(settings, sequence):
    """Largest relative departure from what is claimed, and the median overestimate."""
    data, hashing = sequence.spawn(2)
    n, width, keep = settings["load"] * settings["width"], settings["width"], settings["keep"]
    # values orders of magnitude apart, as second moments of unequal rows are
    truth = np.exp(2 * np.random.default_rng(data).standard_normal(n))
    description = sl.CountMinSketch(
        width, settings["depth"], seed=hash_seed(hashing), **FORMS[settings["form"]]
    )
    store, rows, total = allocate(description, n), np.arange(n), np.zeros(n)
    for _ in range(settings["steps"]):
        total += store.query(rows)[:, 0]  # a lazy step decays by the answer before it
        store.advance(rows, truth[:, None], keep, 1 - keep)
    answers = store.query(rows)[:, 0]
    buckets = store.buckets(rows)
    if settings["form"] == "lazy":
        departure = _imbalance(settings, truth - total / settings["steps"], truth, store, buckets)
        if settings["depth"] == 1:
            departure = max(departure, _largest(answers / _means(buckets[0], truth) - 1))
    else:
        excess = answers / _ceiling(settings["form"], truth, buckets) - 1
        departure = _largest(excess) if settings["depth"] == 1 else max(0.0, excess.max())
    log_ratio = np.log2(np.maximum(answers, 1e-300) / truth)
    return {
        "departure": float(departure),
        "median_log2_ratio": float(np.median(log_ratio)),
        "below": float((log_ratio < -1e-9).mean()),
    }


def _imbalance(settings, missing, truth, store, buckets):
    """Σ(u − mean x̂) of every bucket, less what the bucket has come to hold, over Σu."""
    held = store.table[..., 0] / (settings["steps"] * (1 - settings["keep"]))
    worst = 0.0
    for row, kept in zip(buckets, held):
        gap, sums = (np.bincount(row, weights, len(kept)) for weights in (missing, truth))
        worst = max(worst, _largest((gap - kept)[sums > 0] / sums[sums > 0]))
    return worst


def _means(buckets, truth):
    return (np.bincount(buckets, truth) / np.maximum(np.bincount(buckets), 1))[buckets]


def _ceiling(form, truth, buckets):
    """The sum, or the maximum, of the best of every row's buckets."""
    if form == "global":
        return np.min([np.bincount(row, truth)[row] for row in buckets], axis=0)
    return np.min([_maxima(row, truth)[row] for row in buckets], axis=0)


def _maxima(buckets, truth):
    top = np.zeros(buckets.max() + 1)
    np.maximum.at(top, buckets, truth)
    return top


def _largest(values):
    return float(np.abs(values).max())


def judge(measurements):
    """The largest departure from what is claimed of any form, against convergence."""
    worst = max(result["departure"] for _, result in measurements)
    medians = {}
    for settings, result in measurements:
        key = (settings["form"], settings["load"])
        medians.setdefault(key, []).append(result["median_log2_ratio"])
    highest = max(load for _, load in medians)
    shown = ", ".join(f"{form} 2^{np.mean(medians[form, highest]):.1f}" for form in FORMS)
    return Finding(
        verdict=HOLDS if worst <= _CONVERGED else REFUTED,
        measured=worst,
        bound=_CONVERGED,
        interval=None,
        draws=len(measurements),
        comparisons=0,
        note="largest relative departure from sum, maximum, and balance (at depth 1: mean); median "
        f"overestimate at K = {highest}: {shown}",
        curves={
            "medians": [
                {"form": form, "load": load, "log2_ratio": values}
                for (form, load), values in medians.items()
            ]
        },
    )


CLAIM = Claim(
    name="load-bias",
    statement="K rows a bucket read their sum (global), at most their maximum (conservative), "
    "about their mean (lazy, balanced in every bucket)",
    source="theory §7",
    expected=HOLDS,
    sizes={
        "tiny": {
            "loads": [4, 8],
            "depths": [1, 3],
            "keep": 0.95,
            "width": 5,
            "memories": 20,
            "draws": 1,
        },
        "quick": {
            "loads": [4, 30, 100],
            "depths": [1, 3],
            "keep": 0.99,
            "width": 16,
            "memories": 20,
            "draws": 2,
        },
        "full": {
            "loads": [4, 10, 30, 100, 300],
            "depths": [1, 3],
            "keep": 0.997,
            "width": 32,
            "memories": 20,
            "draws": 2,
        },
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "6 s", "full": "1 min"},
)
