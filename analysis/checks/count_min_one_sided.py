"""Count-min estimates never below the truth: every step, every entry (theory §3 and §4: F1)."""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding
from analysis.checks.streams import bowls, watched_run
from analysis.lab.intervals import HOLDS, REFUTED, rounding_allowance

FORMS = {
    "global": lambda width, depth: sl.CountMinSketch(width, depth, decay="global"),
    "conservative": lambda width, depth: sl.CountMinSketch(width, depth, conservative=True),
}


def runs(n, widths, betas, touched, steps):
    """One run for each form, width, decay and chance of being touched."""
    return [
        {
            "form": form,
            "n": n,
            "width": width,
            "depth": 3,
            "beta": beta,
            "touched": chance,
            "steps": steps,
        }
        for form in FORMS
        for width in widths
        for beta in betas
        for chance in touched
    ]


def measure(settings, sequence):
    """Shortfalls along a run of RMSprop under the form."""
    return shortfalls(settings, sequence, FORMS[settings["form"]])


def shortfalls(settings, sequence, form):
    """How often, and by what share of the truth, estimates fall below it along a real run."""
    description = form(settings["width"], settings["depth"])
    problem = bowls(settings["n"], noise=0.5, touched=settings["touched"])
    worst, below, seen, negative = 0.0, 0, 0, 0
    allowance = rounding_allowance(4 * settings["steps"] * settings["n"])

    def visit(_, moments):
        """Count the estimates of a step that miss some of the truth."""
        nonlocal worst, below, seen, negative
        active = moments.exact > 0
        missing = (moments.exact - moments.after)[active] / moments.exact[active]
        below += int((~(missing <= allowance)).sum())
        negative += int((moments.after < 0).sum())
        seen += missing.size
        if missing.size:
            worst = max(worst, float(np.nan_to_num(missing.max(), nan=np.inf)))

    with np.errstate(over="ignore", invalid="ignore"):
        watched_run(problem, description, settings["beta"], settings["steps"], sequence, visit)
    return {
        "worst": min(worst, 1e300),
        "below": below,
        "negative": negative,
        "seen": seen,
        "allowance": allowance,
    }


def judge(measurements):
    """Refuted by one estimate that falls below the truth by more than rounding."""
    results = [result for _, result in measurements]
    below, seen = (sum(result[key] for result in results) for key in ("below", "seen"))
    worst = max(results, key=lambda result: result["worst"])
    return Finding(
        verdict=REFUTED if below else HOLDS,
        measured=worst["worst"],
        bound=worst["allowance"],
        interval=None,
        draws=len(results),
        comparisons=0,
        note=f"{below:,} of {seen:,} estimates below the truth along {len(results)} runs; "
        "measured: largest shortfall as a share of the truth, bound: rounding",
        curves={"runs": [{"settings": settings, **result} for settings, result in measurements]},
    )


CLAIM = Claim(
    name="count-min-one-sided",
    statement="x_i ≤ x̂_i at every step, for every entry, under global and conservative updates",
    source="Cormode & Muthukrishnan 2005; theory §3 and §4, F1",
    expected=HOLDS,
    sizes={
        "tiny": {"n": 40, "widths": [4], "betas": [0.9], "touched": [0.3], "steps": 20},
        "quick": {
            "n": 400,
            "widths": [8, 40],
            "betas": [0.5, 0.9, 0.999],
            "touched": [0.1, 1],
            "steps": 150,
        },
        "full": {
            "n": 10_000,
            "widths": [16, 400],
            "betas": [0.5, 0.9, 0.99, 0.999],
            "touched": [0.01, 0.1, 1],
            "steps": 500,
        },
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "2 s", "full": "2 min"},
)
