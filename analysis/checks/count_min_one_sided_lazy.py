"""The one-sided guarantee for Algorithm 4 as printed and for the released rule: false (theory §7).

The smallest counterexample has two rows in one bucket, two steps and β = 1/2. Both rows get
g = 1, so that v = (½, ½) and the bucket holds 1; then both get g = 0, v falls to (¼, ¼), and the
bucket, which each row decays by half of it, holds 0.
"""

import numpy as np

import sketchlab as sl
from analysis.checks import count_min_one_sided
from analysis.checks.claim import Claim
from analysis.checks.draws import allocate
from analysis.lab.intervals import HOLDS, REFUTED, UNDECIDED
from analysis.training.optimizers import form_of_answers

FORMS = {
    "lazy (Algorithm 4)": lambda width, depth: sl.CountMinSketch(width, depth, decay="lazy"),
    "bucket (released)": lambda width, depth: sl.CountMinSketch(width, depth, decay="bucket"),
}


def counterexample(decay):
    """The two steps of the smallest counterexample: estimates and truths, (2 steps, 2 rows)."""
    rows, beta = np.arange(2), 0.5
    sketch = allocate(sl.CountMinSketch(width=1, depth=1, decay=decay), n=2)
    exact = allocate(sl.Dense(), n=2)
    estimates, truths = [], []
    for gradient in (1.0, 0.0):
        squares = np.full((2, 1), gradient**2)
        for store, answers in ((sketch, estimates), (exact, truths)):
            store.advance(rows, squares, beta, 1 - beta)
            answers.append(store.query(rows).ravel().tolist())
    return estimates, truths


def runs(**size):
    """The runs of `count-min-one-sided`, under both ways to decay touched rows only."""
    whole = count_min_one_sided.runs(**size)
    chosen = [run for run in whole if run["form"] == "global"]
    return [
        {**run, "form": form, **form_of_answers(describe(1, 1).decay)}
        for form, describe in FORMS.items()
        for run in chosen
    ]


def measure(settings, sequence):
    """Shortfalls along a run of RMSprop under the form."""
    return count_min_one_sided.shortfalls(settings, sequence, FORMS[settings["form"]])


def judge(measurements):
    """Refuted where both forms fall below the truth; the smallest counterexample beside it."""
    finding = count_min_one_sided.judge(measurements)
    estimates, truths = counterexample("lazy")
    shares = {form: _share_below(measurements, form) for form in FORMS}
    both = REFUTED if all(shares.values()) else UNDECIDED
    found = ", ".join(f"{form} {share:.1%}" for form, share in shares.items())
    return finding._replace(
        verdict=both if any(shares.values()) else HOLDS,
        measured=max(shares.values()),
        bound=0.0,
        note=f"share of estimates below the truth: {found}; smallest counterexample, two rows in "
        f"one bucket, β = 1/2, g = 1 then 0: v̂ = {estimates[-1]} under v = {truths[-1]}",
        curves=finding.curves | {"counterexample": {"estimates": estimates, "truths": truths}},
    )


def _share_below(measurements, form):
    results = [result for settings, result in measurements if settings["form"] == form]
    below, seen = (sum(result[key] for result in results) for key in ("below", "seen"))
    return below / seen


CLAIM = Claim(
    name="count-min-one-sided-lazy",
    statement="x_i ≤ x̂_i for Algorithm 4 as printed and for the released kernels",
    source="Spring et al. 2019, Algorithm 4 and released code; theory §7",
    expected=REFUTED,
    sizes=count_min_one_sided.CLAIM.sizes,
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "2 s", "full": "2 min"},
)
