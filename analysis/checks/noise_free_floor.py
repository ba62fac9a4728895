"""Without noise: mean ‖∇f‖² falls as 1/T, down to a floor that falls with the width (theory §5).

The floor is the bound's, G√(1−β)/ε²·Σκ_i times its factor: 0 where the hash is injective. Under
the theorem's conditions the runs show none: overestimates only shorten steps, and without noise a
gradient that shrinks takes v with it. Floors that can be seen belong to the learning rate (η above
2ε/L lets a step overshoot for ever); they too are recorded, for sketches of every width.
"""

import itertools

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.checks.convergence import described
from analysis.checks.draws import allocate, any_size, hash_seed
from analysis.checks.streams import bowls
from analysis.lab.intervals import HOLDS, REFUTED, bootstrap_slope, near, together
from analysis.theory import bounds
from analysis.training.theorem import UncorrectedRMSprop, run

_TOLERANCE = 0.05
_VANISHED = 1e-9
_BEYOND = {"lr": 0.01, "eps": 1e-8}  # η ≫ 2ε/L


def cells(n, widths, horizons, beta, draws):
    """One cell a width, the last of them injective, and draw of hash functions."""
    return [
        {"n": n, "width": width, "horizons": horizons, "beta": beta, "draw": draw}
        for width in [*widths, None]  # None: wide enough for an injective hash
        for draw in range(draws)
    ]


def measure(settings, sequence):
    """One run within the conditions of the theorem, one with too large a step, and the bound."""
    n, horizons = settings["n"], settings["horizons"]
    problem, steps = bowls(n, noise=0, touched=1), max(settings["horizons"])
    sketch = _sketch(settings, hash_seed(sequence))
    case = described(problem, settings["beta"], steps)
    norms, buckets = _run(problem, sketch, case.lr, case.beta, case.eps, steps)
    beyond, _ = _run(problem, sketch, _BEYOND["lr"], case.beta, _BEYOND["eps"], steps)
    return {
        "means": [float(norms[:horizon].mean()) for horizon in horizons],
        "bounds": [bounds.theorem_linear(case._replace(steps=t), buckets) for t in horizons],
        "bound_floor": bounds.theorem_linear(case._replace(gap=0.0), buckets),
        "last": float(norms[-1] / norms[0]),
        "floor_beyond_conditions": float(beyond[steps // 2 :].mean()),
    }


def _sketch(settings, seed):
    """A sketch of the asked width; or a wide one whose hash keeps all rows apart."""
    n, width = settings["n"], settings["width"]
    if width is not None:
        return sl.CountMinSketch(width, depth=3, decay="global", seed=seed)
    for shift in itertools.count():
        sketch = sl.CountMinSketch(8 * n**2, depth=1, decay="global", seed=(seed + shift) % 2**64)
        if len(np.unique(allocate(sketch, n).buckets(np.arange(n)))) == n:
            return sketch


def _run(problem, sketch, lr, beta, eps, steps):
    with any_size():
        optimizer = UncorrectedRMSprop(problem.start(), lr, beta, eps, sketch)
    norms = run(problem, optimizer, steps, np.random.default_rng(0))[:, 0]
    return norms, optimizer.v.buckets(np.arange(problem.size))


def judge(measurements):
    """Slopes near −1, no floor in the runs, and a floor of the bound that falls to 0."""
    widths = list(dict.fromkeys(settings["width"] for settings, _ in measurements))
    horizons = measurements[0][0]["horizons"]
    by_width = {w: [r for s, r in measurements if s["width"] == w] for w in widths}
    slopes = {
        width: bootstrap_slope(
            horizons, [run["means"] for run in runs], claim_error() / len(widths)
        )
        for width, runs in by_width.items()
    }
    floors = {w: float(np.mean([r["bound_floor"] for r in runs])) for w, runs in by_width.items()}
    beyond = {
        w: float(np.mean([r["floor_beyond_conditions"] for r in runs]))
        for w, runs in by_width.items()
    }
    within = all(
        np.less_equal(run["means"], run["bounds"]).all() and run["last"] < _VANISHED
        for _, run in measurements
    )
    falling = list(floors.values())
    graceful = falling[-1] == 0 and all(np.diff(falling) < 0)
    verdicts = [near(*ends[1:], -1.0, _TOLERANCE) for ends in slopes.values()]
    worst = max(slopes.values(), key=lambda ends: abs(ends[0] + 1))
    shown = ", ".join(f"w={w or 'injective'}: {value:.3g}" for w, value in floors.items())
    seen = ", ".join(f"{value:.2g}" for value in beyond.values())
    return Finding(
        verdict=together([*verdicts, HOLDS if within and graceful else REFUTED]),
        measured=worst[0],
        bound=-1.0,
        interval=list(worst[1:]),
        draws=len(measurements) // len(widths),
        comparisons=len(widths),
        note=f"slope in T; floors of the bound: {shown}; measured floor: none, ‖∇f‖² falls below "
        f"1e−9 of its start at every width (with η ≫ 2ε/L: {seen}, the learning rate's own)",
        curves={
            "horizons": horizons,
            "slopes": [[w, *ends] for w, ends in slopes.items()],
            "bound_floors": [[w, value] for w, value in floors.items()],
            "floors_beyond_conditions": [[w, value] for w, value in beyond.items()],
        },
    )


CLAIM = Claim(
    name="noise-free-floor",
    statement="without noise and with fixed η, mean ‖∇f‖² falls as 1/T to a floor that falls with "
    "the width, to 0 for an injective hash",
    source="theory §5",
    expected="holds",
    sizes={
        "tiny": {"n": 30, "widths": [3, 15], "horizons": [300, 600], "beta": 0.9, "draws": 3},
        "quick": {
            "n": 100,
            "widths": [4, 12, 36, 100],
            "horizons": [500, 1000, 2000],
            "beta": 0.99,
            "draws": 4,
        },
        "full": {
            "n": 1000,
            "widths": [10, 40, 160, 640],
            "horizons": [1000, 3000, 10_000],
            "beta": 0.99,
            "draws": 5,
        },
    },
    cells=cells,
    measure=measure,
    judge=judge,
    duration={"quick": "6 s", "full": "1 min"},
)
