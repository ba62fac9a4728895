"""What colliding bursts leave of a gradient: grows with K under a linear sketch only (theory §5).

The terms κσ² of the convergence bounds are of the method, too. A row whose helpful gradient comes
in rare bursts, while K rows of its bucket burst at the same time, takes its helpful steps when they
are shortest, and comes to rest where a gradient is left: 1 − ε/A of burst × probability, A = √v̂ + ε
in a burst. For a linear sketch A grows as √K and nothing is gained from the bursts in the end; the
conservative update holds their maximum, which is the row's own, at every K.

The runs start at the minimum; the first half, on the way to where they come to rest, is left out.
Runs of unequal K draw the same bursts, so that differences between them are of K alone. The bounds
themselves are vacuous here (bursts of this size make them larger than sup ‖∇f‖² = 1).
"""

import itertools

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.checks.draws import any_size
from analysis.lab.intervals import HOLDS, REFUTED, mean_interval, near, together
from analysis.problems.bursts import Bursts
from analysis.theory import descent
from analysis.training.theorem import UncorrectedRMSprop, run

FORMS = {
    "exact": lambda: sl.Dense("global"),
    "linear": lambda: sl.CountMinSketch(1, depth=1, decay="global"),
    "conservative": lambda: sl.CountMinSketch(1, depth=1, conservative=True),
}
#: How far conservative and exact residuals may be apart: a fifth of what one more row adds to the
#: linear one's.
_TOLERANCE = 0.01
BETA, SIZE, PROBABILITY = 0.8, 25.0, 0.02
# A burst moves the row by this, a small part of the Huber loss's quadratic one.
_STEP = 0.03


def runs(loads, steps, columns):
    """One run for each form and number of colliding rows."""
    return [
        {"form": form, "load": load, "steps": steps, "columns": columns}
        for form in FORMS
        for load in loads
    ]


def measure(settings, _):
    """Gradient of every column where it comes to rest, as a share of burst × probability."""
    problem = Bursts(settings["load"], SIZE, PROBABILITY)
    eps = 4 * problem.gradient_bounds.max() * np.sqrt(1 - BETA)
    rate = _STEP * eps / SIZE
    with any_size():
        optimizer = UncorrectedRMSprop(
            problem.start(settings["columns"]), rate, BETA, eps, FORMS[settings["form"]]()
        )
    seen = []

    def watch(rows, gradients):
        """Record the gradient after a step."""
        seen.append(problem.gradient(optimizer.table)[0])

    # the same in all runs: they share their bursts, see above
    generator = np.random.default_rng([settings["seed"], 1])
    run(problem, optimizer, settings["steps"], generator, watch)
    rest = np.mean(seen[settings["steps"] // 2 :], axis=0) / (SIZE * PROBABILITY)
    colliding = settings["load"] if settings["form"] == "linear" else 0
    return {
        "residual": rest.tolist(),
        "rare": descent.burst_residual(colliding, SIZE, BETA, eps),
    }


def judge(measurements):
    """The linear residual rises from each K to the next, the conservative one stays the exact's."""
    rests = {(s["form"], s["load"]): np.array(r["residual"]) for s, r in measurements}
    loads = sorted({load for _, load in rests})
    level = claim_error() / (2 * len(loads) - 1)
    verdicts, means = [], {}
    for small, large in itertools.pairwise(loads):
        _, low, high = mean_interval(rests["linear", large] - rests["linear", small], level)
        verdicts.append(HOLDS if low > 0 else REFUTED)
    for load in loads:
        apart = rests["conservative", load] - rests["exact", load]
        verdicts.append(near(*mean_interval(apart, level)[1:], 0.0, _TOLERANCE))
        means[load] = {form: float(rests[form, load].mean()) for form in FORMS}
    shown = "; ".join(
        f"K = {load}: " + ", ".join(f"{form} {means[load][form]:.3f}" for form in FORMS)
        for load in (loads[0], loads[-1])
    )
    mean, low, high = mean_interval(rests["linear", loads[-1]], level)
    return Finding(
        verdict=together(verdicts),
        measured=float(mean),
        bound=1.0,
        interval=[float(low), float(high)],
        draws=len(rests["exact", loads[0]]),
        comparisons=len(verdicts),
        note=f"gradient left, as a share of burst × probability: {shown}",
        curves={
            "loads": loads,
            "means": {str(load): forms for load, forms in means.items()},
            "rare": {str(s["load"]): r["rare"] for s, r in measurements if s["form"] == "linear"},
        },
    )


CLAIM = Claim(
    name="colliding-bursts",
    statement="the gradient that colliding bursts leave grows with their number K under a linear "
    "sketch, and is exact RMSprop's under the conservative update",
    source="docs/theory.md §5",
    expected=HOLDS,
    sizes={
        "tiny": {"loads": [1, 64], "steps": 2000, "columns": 8},
        "quick": {"loads": [1, 16, 256], "steps": 5000, "columns": 8},
        "full": {"loads": [1, 4, 16, 64, 256, 1024, 4096], "steps": 5000, "columns": 8},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "10 s", "full": "4 min"},
)
