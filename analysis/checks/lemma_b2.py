"""Lemma B.2 as printed: v̂_t − β v̂_{t−1} ≤ (1−β)(g_t² + ε₁‖g_t²‖₁) (theory §2, gap 1).

It subtracts an upper bound of v̂_{t−1} where a lower one is needed, and no depth mends it. One step
gives many rows gradients of unequal size: all buckets fill, and one of row 0's holds clearly less
than the others. The next step gives e^{−1}·w rows, less one, gradients of 1. Row 0's answer is
still that of the least full bucket, and grows by (1−β) times what falls into it: nothing, or at
least 1, where the lemma allows ε₁(w/e − 1) < 1. So it fails whenever one of them falls into that
bucket, 1 − (1 − 1/w)^(w/e − 1), about 30 % of all draws, whatever the depth; the proof takes e^{−v}
for it. Count-min's own bound never fails there: row 0's buckets hold about ‖x‖₁/w, e times less.

The smallest counterexample has three entries, two rows of buckets and two steps: entry 0 shares its
first bucket with entry 1 and its second with entry 2. g_1 = (0, 0, 1) leaves v̂_{1,0} = 0, since
the first bucket is empty; g_2 = (0, 1, 0) fills it, and v̂_{2,0} = β(1−β) by the second. The lemma
allows (1−β)ε₁ only, while the count-min bound itself, v̂ ≤ v + ε₁‖v‖₁, holds at both steps for all
entries as long as ε₁ ≥ β/(1+β). Any ε₁ between that and β will do: width 4 and ε₁ = e/4 at β = 0.9.
"""

import itertools
import math

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, claim_error
from analysis.checks.draws import allocate, hash_seed, scattered
from analysis.checks.rates import judge_rates
from analysis.lab.intervals import REFUTED, clopper_pearson
from sketchlab.hashing import MAX_ROWS

_BETA = 0.9


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


def burst_size(width):
    """Most rows with gradients of 1 at which the lemma still forbids an excess: e·m/w < 1."""
    return math.ceil(width / np.e) - 1


def runs(crowd, width, depths, draws):
    """One run for each depth."""
    return [{"crowd": crowd, "width": width, "depth": depth, "draws": draws} for depth in depths]


def measure(settings, sequence):
    """Draws of hash functions in which row 0 breaks the lemma, and count-min's bound."""
    width, crowd = settings["width"], settings["crowd"]
    rate, burst = np.e / width, burst_size(width)
    data, hashing = sequence.spawn(2)
    generator, broken = np.random.default_rng(data), {"lemma": 0, "count-min": 0}
    for child in hashing.spawn(settings["draws"]):
        squares = np.zeros((2, 1 + crowd + burst))
        # of unequal size, and large beside the next step's, so that one bucket is the least full
        squares[0, 1 : 1 + crowd] = 100 * generator.exponential(size=crowd)
        squares[1, 1 + crowd :] = 1.0
        sketch = sl.CountMinSketch(width, settings["depth"], decay="global", seed=hash_seed(child))
        before, after = _first_row(sketch, squares, generator)
        allowed = printed_lemma(squares[1], rate, _BETA)[0]
        total = (1 - _BETA) * (_BETA * squares[0] + squares[1]).sum()
        broken["lemma"] += after - _BETA * before > allowed * (1 + 1e-9)
        broken["count-min"] += after > rate * total
    return {
        "failures": {"lemma": int(broken["lemma"])},
        "bounds": {"lemma": math.exp(-settings["depth"])},
        "count_min": int(broken["count-min"]),
    }


def _first_row(sketch, squares, generator):
    """Answers about row 0 after each of the steps; rows have ids far apart.

    Multiply-shift spreads consecutive ids better than chance.
    """
    ids, answers = scattered(squares.shape[1], generator), []
    store = allocate(sketch, MAX_ROWS)
    for step in squares:
        store.advance(ids, step[:, None], _BETA, 1 - _BETA)
        answers.append(store.query(ids[:1]).item())
    return answers


def judge(measurements):
    """Refuted at every depth: more draws break the lemma than its proof allows, e^(−v)."""
    finding = judge_rates(measurements)
    rates = {s["depth"]: r["failures"]["lemma"] / s["draws"] for s, r in measurements}
    lows = [
        clopper_pearson(r["failures"]["lemma"], s["draws"], claim_error() / len(measurements))[0]
        for s, r in measurements
    ]
    everywhere = all(low > r["bounds"]["lemma"] for low, (_, r) in zip(lows, measurements))
    example = counterexample()
    last = example["steps"][-1]
    shown = ", ".join(f"{depth}: {rate:.2f}" for depth, rate in rates.items())
    kept = sum(result["count_min"] for _, result in measurements)
    width = measurements[0][0]["width"]
    return finding._replace(
        verdict=REFUTED if everywhere and last["left"] > last["right"] else finding.verdict,
        note=f"3 entries, depth 2, width 4, β = {example['beta']}, seed {example['seed']}, "
        f"g = (0,0,1) then (0,1,0): growth {last['left']:.3g} > {last['right']:.3g} while the "
        f"count-min bound holds; a crowd, then {burst_size(width)} rows (w = {width}) break it in "
        f"these shares of draws at depth {shown}; count-min's bound failed in {kept}",
        curves=finding.curves | {"counterexample": example},
    )


CLAIM = Claim(
    name="lemma-b2",
    statement="Lemma B.2 as printed: v̂_t − β v̂_(t−1) ≤ (1−β)(g_t² + ε₁‖g_t²‖₁), but for e^(−v)",
    source="Spring et al. 2019, Lemma B.2; theory §2",
    expected=REFUTED,
    sizes={
        "tiny": {"crowd": 400, "width": 40, "depths": [2, 12], "draws": 300},
        "quick": {"crowd": 1000, "width": 100, "depths": [2, 5, 12, 25], "draws": 600},
        "full": {"crowd": 100_000, "width": 100, "depths": [2, 3, 5, 12, 25], "draws": 600},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "4 s", "full": "1 min"},
)
