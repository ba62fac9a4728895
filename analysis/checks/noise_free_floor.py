"""Without noise there is no floor: mean ‖∇f‖² ≤ C/T with theorem B's constant (theory §5).

The additive bound's Σκ_i term does not fall with T; theorem B has no such term, so it is the
proof's and not the method's. That ‖∇f‖² is summable, slope −1 in T, shows nothing: it is so for any
method that converges. What is judged is the constant: T·mean is at most 2(√max B_i + ε)·gap/η, and
at least a tenth of it, so that steps much longer than the theory's are seen as well as shorter
ones; and at the longest T the mean is below the additive bound's floor, so that the floor is
refuted by runs and not by theorem B alone.

Floors that can be seen belong to the learning rate (η above 2ε/L lets a step overshoot for ever);
they too are recorded, for sketches of every width.
"""

import itertools

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding
from analysis.checks.convergence import INSTANCES, TIGHT, described, trajectory
from analysis.checks.draws import allocate, hash_seed
from analysis.checks.rates import tightness
from analysis.checks.streams import bowls
from analysis.lab.intervals import HOLDS, REFUTED
from analysis.theory import descent

_BEYOND = {"lr": 0.01, "eps": 1e-8}  # η ≫ 2ε/L


def runs(n, widths, horizons, draws):
    """One run for each width, the last of them injective, and draw of hash functions."""
    return [
        {"n": n, "width": width, "horizons": horizons, "draw": draw}
        for width in [*widths, None]  # None: wide enough for an injective hash
        for draw in range(draws)
    ]


def measure(settings, sequence):
    """One run within the conditions of the theorem, one with too large a step, and the bounds."""
    n, horizons = settings["n"], settings["horizons"]
    problem, steps = bowls(n, noise=0, touched=1), max(settings["horizons"])
    sketch = _sketch(settings, hash_seed(sequence))
    case = described(problem, INSTANCES["no noise"], steps)
    norms, buckets = trajectory(problem, case, sketch, np.random.default_rng(0))
    beyond, _ = trajectory(problem, case._replace(**_BEYOND), sketch, np.random.default_rng(0))
    constants = descent.linear_constants(buckets, problem.gradient_bounds)
    cases = [case._replace(steps=horizon) for horizon in horizons]
    return {
        "means": [float(norms[:horizon].mean()) for horizon in horizons],
        "bounds": [descent.theorem_no_floor(known, constants) for known in cases],
        "additive": [descent.theorem_additive(known, constants) for known in cases],
        "bound_floor": descent.theorem_additive(case._replace(gap=0.0), constants),
        "steepest": problem.steepest,
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


def judge(measurements):
    """Every mean within theorem B's bound, which is tight, and in the end below the old floor."""
    widths = list(dict.fromkeys(settings["width"] for settings, _ in measurements))
    by_width = {w: [r for s, r in measurements if s["width"] == w] for w in widths}

    def averages(name):
        """Mean of a quantity over draws, by width."""
        return {w: float(np.mean([run[name] for run in runs])) for w, runs in by_width.items()}

    floors, beyond = averages("bound_floor"), averages("floor_beyond_conditions")
    results = [result for _, result in measurements]
    ratios = np.array([np.divide(r["bounds"], r["means"]) for r in results])
    informative = all(bound < r["steepest"] for r in results for bound in r["bounds"])
    below = all(r["means"][-1] < r["bound_floor"] for s, r in measurements if s["width"])
    shown = ", ".join(f"w={w or 'injective'}: {value:.3g}" for w, value in floors.items())
    seen = ", ".join(f"{value:.2g}" for value in beyond.values())
    last = max(np.mean([run["means"][-1] for run in runs]) for runs in by_width.values())
    within = ratios.min() >= 1 and ratios.max() <= TIGHT
    return Finding(
        verdict=HOLDS if within and informative and below else REFUTED,
        measured=float(ratios.max()),
        bound=float(TIGHT),
        interval=None,
        draws=len(measurements) // len(widths),
        comparisons=0,
        note=f"C/T over the mean: {ratios.min():.3g} to {ratios.max():.3g}; the additive bound's "
        f"floors: {shown}; measured in the end: at most {last:.2g} (with η ≫ 2ε/L: {seen}, the "
        "learning rate's own)",
        curves={
            "tightness": tightness(ratios.ravel().tolist()),
            "horizons": measurements[0][0]["horizons"],
            "means": [
                [w, np.mean([r["means"] for r in by_width[w]], axis=0).tolist()] for w in widths
            ],
            "bounds": [
                [w, np.mean([r["bounds"] for r in by_width[w]], axis=0).tolist()] for w in widths
            ],
            "bound_floors": [[w, value] for w, value in floors.items()],
            "floors_beyond_conditions": [[w, value] for w, value in beyond.items()],
        },
    )


CLAIM = Claim(
    name="noise-free-floor",
    statement="without noise and with fixed η there is no floor: mean ‖∇f‖² ≤ C/T at every width, "
    "and at least a tenth of it",
    source="theory §5: theorem B",
    expected="holds",
    sizes={
        "tiny": {"n": 30, "widths": [3, 15], "horizons": [500, 1500], "draws": 2},
        "quick": {
            "n": 100,
            "widths": [4, 12, 36],
            "horizons": [1000, 2000],
            "draws": 3,
        },
        "full": {
            "n": 100,
            "widths": [4, 12, 36],
            "horizons": [1000, 2000, 4000, 8000],
            "draws": 5,
        },
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "6 s", "full": "1 min"},
)
