"""Lemma B.2 as printed: v̂_t − β v̂_{t−1} ≤ (1−β)(g_t² + ε₁‖g_t²‖₁) (theory §3, gap 1).

It subtracts an upper bound of v̂_{t−1} where a lower one is needed. The smallest counterexample
has three entries, two rows of buckets and two steps: entry 0 shares its first bucket with entry 1
and its second with entry 2. g_1 = (0, 0, 1) leaves v̂_{1,0} = 0, since the first bucket is empty;
g_2 = (0, 1, 0) fills it, and v̂_{2,0} = β(1−β) by the second. The lemma allows (1−β)ε₁ only, while
the count-min bound itself, v̂ ≤ v + ε₁‖v‖₁, holds at both steps for all entries as long as
ε₁ ≥ β/(1+β). Any ε₁ between that and β will do: width 4 and ε₁ = e/4 at β = 0.9.
"""

import itertools

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding
from analysis.checks.draws import allocate
from analysis.checks.streams import bowls, watched_run
from analysis.lab.intervals import HOLDS, REFUTED, rounding_allowance


def printed_lemma(squares, rate, beta):
    """The right side of Lemma B.2, (n, dim)."""
    return (1 - beta) * (squares + rate * squares.sum(axis=0))


def counterexample(beta=0.9, width=4):
    """The smallest counterexample as a dict of what a reader wants to see."""
    rate = np.e / width
    for seed in itertools.count():
        sketch = allocate(sl.CountMinSketch(width, depth=2, decay="global", seed=seed), n=3)
        first, second = (row[0] == row for row in sketch.buckets([0, 1, 2]))
        if first.tolist() == [True, True, False] and second.tolist() == [True, False, True]:
            break
    rows, exact, steps = np.arange(3), np.zeros((3, 1)), []
    for gradient in ([0.0, 0.0, 1.0], [0.0, 1.0, 0.0]):
        squares, before = np.square(gradient)[:, None], sketch.query(rows)
        sketch.advance(rows, squares, beta, 1 - beta)
        exact = beta * exact + (1 - beta) * squares
        estimates = sketch.query(rows)
        steps.append(
            {
                "gradient": gradient,
                "estimates": estimates.ravel().tolist(),
                "left": float((estimates - beta * before)[0, 0]),
                "right": float(printed_lemma(squares, rate, beta)[0, 0]),
                "count_min_bound_holds": bool((estimates <= exact + rate * exact.sum()).all()),
            }
        )
    return {"beta": beta, "width": width, "rate": rate, "seed": seed, "steps": steps}


def cells(n, widths, steps, beta, replicates):
    """One cell a width and replicate: one run."""
    return [
        {"n": n, "width": width, "steps": steps, "beta": beta, "replicate": replicate}
        for width in widths
        for replicate in range(replicates)
    ]


def measure(settings, sequence):
    """Share of (t, i) pairs that violate the lemma, and share that violate count-min's bound."""
    beta, rate = settings["beta"], np.e / settings["width"]
    sketch = sl.CountMinSketch(settings["width"], depth=3, decay="global")
    problem = bowls(settings["n"], noise=0.5, touched=0.1)
    count = {"pairs": 0, "lemma": 0, "count_min": 0}
    slack = 1 + rounding_allowance(4 * settings["steps"] * settings["n"])

    def visit(_, moments):
        """Count the entries of a step that break either bound."""
        growth = moments.after - beta * moments.before
        allowed = printed_lemma(moments.squares, rate, beta)
        ceiling = moments.exact + rate * moments.exact.sum(axis=0)
        rounding = (slack - 1) * moments.after
        count["pairs"] += growth.size
        count["lemma"] += int((growth > allowed + rounding).sum())
        count["count_min"] += int((moments.after > ceiling + rounding).sum())

    watched_run(problem, sketch, beta, settings["steps"], sequence, visit)
    return count


def judge(measurements):
    """Refuted by the counterexample, if the lemma breaks more often than count-min does."""
    total = {
        key: sum(result[key] for _, result in measurements)
        for key in ("pairs", "lemma", "count_min")
    }
    example = counterexample()
    last = example["steps"][-1]
    breaks = last["left"] > last["right"] and all(
        step["count_min_bound_holds"] for step in example["steps"]
    )
    return Finding(
        verdict=REFUTED if breaks and total["lemma"] > total["count_min"] else HOLDS,
        measured=last["left"],
        bound=last["right"],
        interval=None,
        draws=len(measurements),
        comparisons=0,
        note=f"3 entries, depth 2, width 4, β = {example['beta']}, seed {example['seed']}, "
        f"g = (0,0,1) then (0,1,0): growth {last['left']:.3g} > {last['right']:.3g} while the "
        f"count-min bound holds; along runs {total['lemma'] / total['pairs']:.2%} of (t, i) break "
        f"the lemma, {total['count_min'] / total['pairs']:.2%} the count-min bound",
        curves={
            "counterexample": example,
            "runs": [{"settings": settings, **result} for settings, result in measurements],
        },
    )


CLAIM = Claim(
    name="lemma-b2",
    statement="Lemma B.2 as printed: v̂_t − β v̂_(t−1) ≤ (1−β)(g_t² + ε₁‖g_t²‖₁)",
    source="Spring et al. 2019, Lemma B.2; theory §3",
    expected=REFUTED,
    sizes={
        "tiny": {"n": 200, "widths": [20], "steps": 20, "beta": 0.9, "replicates": 1},
        "quick": {"n": 2000, "widths": [80], "steps": 200, "beta": 0.99, "replicates": 2},
        "full": {
            "n": 30_000,
            "widths": [300, 1200],
            "steps": 1000,
            "beta": 0.99,
            "replicates": 3,
        },
    },
    cells=cells,
    measure=measure,
    judge=judge,
    duration={"quick": "1 s", "full": "10 s"},
)
