"""SM3's regret for hashed buckets: the conservative sketch that never decays (theory §6).

SM3 (Anil et al. 2019) keeps one number for each set of a cover of the parameters; where the sets
are the buckets of a count-min sketch, its second form is the conservative update with keep = 1,
number for number. So what holds of SM3 holds of that sketch: √v̂ in Adagrad's regret is at most
√C_i, C_i = min_j Σ_t max g_t² over bucket_j(i), where a linear sketch has the sum over the bucket
for the maximum.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.adagrad_regret import PROBLEMS, Regret
from analysis.checks.claim import Claim, Finding
from analysis.checks.draws import hash_seed
from analysis.checks.rates import tightness
from analysis.lab.intervals import HOLDS, REFUTED, rounding_allowance
from analysis.theory import regret

_EPS = 1e-10


def runs(problems, rate, n, samples, steps, compression, draws):
    """One run for each problem and draw of data, order and hash functions."""
    return [
        {
            "problem": problem,
            "rate": rate,
            "n": n,
            "samples": samples,
            "steps": steps,
            "compression": compression,
            "draw": draw,
        }
        for problem in problems
        for draw in range(draws)
    ]


class Cover:
    """SM3-II over some sets, and the ceilings of both bounds; plain arrays, one entry a set."""

    def __init__(self, buckets):
        self.buckets, sets = buckets, (len(buckets), buckets.max() + 1)
        self.kept, self.maxima, self.sums = np.zeros(sets), np.zeros(sets), np.zeros(sets)

    def add(self, squares):
        """One step: every set keeps the largest of its rows' least set plus their g²."""
        raised = self.least(self.kept) + squares
        self.kept = self._largest(raised)
        self.maxima += self._largest(squares)
        for total, row in zip(self.sums, self.buckets):
            np.add.at(total, row, squares)

    def least(self, values):
        """The smallest of each row's sets, (n,)."""
        return np.take_along_axis(values, self.buckets, axis=1).min(axis=0)

    def _largest(self, values):
        top = np.zeros_like(self.kept)
        for largest, row in zip(top, self.buckets):
            np.maximum.at(largest, row, values)
        return top


def measure(settings, sequence):
    """How far the sketch is from SM3-II and above its ceilings, the regret and its bounds."""
    data, hashing, order = sequence.spawn(3)
    make = PROBLEMS[settings["problem"]]
    problem = make(settings["n"], settings["samples"], 8, 1.1, np.random.default_rng(data))
    sketch = sl.CountMinSketch(
        compression=settings["compression"], conservative=True, seed=hash_seed(hashing)
    )
    watch = Regret(problem, sketch, settings["rate"])
    cover = Cover(watch.optimizer.v.buckets(np.arange(settings["n"])))
    generator, total, apart = np.random.default_rng(order), 0.0, 0.0
    for _ in range(settings["steps"]):
        squares, product = watch.step(generator)
        cover.add(squares)
        total += product
        known, kept = cover.least(cover.kept), watch.estimates()
        apart = max(apart, float((np.abs(known - kept) / np.maximum(known, 1e-300)).max()))
    ceilings = cover.least(cover.maxima)
    given = watch.distances, settings["rate"], _EPS
    return {
        "apart": apart,
        "above": float(np.max(kept / np.maximum(ceilings, 1e-300))),
        "regret": total,
        "bound": regret.sm3_regret(given[0], ceilings, *given[1:]),
        "linear": regret.sm3_regret(given[0], cover.least(cover.sums), *given[1:]),
        "allowance": rounding_allowance(4 * settings["steps"] * settings["n"]),
    }


def judge(measurements):
    """SM3-II number for number; estimates below their ceilings, regret below its bound."""
    results = [result for _, result in measurements]
    ratios = [result["bound"] / result["regret"] for result in results]
    same = all(r["apart"] <= r["allowance"] for r in results)
    below = all(r["above"] <= 1 + r["allowance"] for r in results)
    within = all(r["regret"] <= r["bound"] for r in results)
    saved = [result["linear"] / result["bound"] for result in results]
    return Finding(
        verdict=HOLDS if same and below and within else REFUTED,
        measured=float(min(ratios)),
        bound=1.0,
        interval=None,
        draws=len(results),
        comparisons=0,
        note=f"largest relative difference from SM3-II {max(r['apart'] for r in results):.2g}; v̂ "
        f"at most {max(r['above'] for r in results):.2f} of its ceiling; bound over regret "
        f"{min(ratios):.3g} to {max(ratios):.3g}; the linear sketch's bound is {min(saved):.2f} to "
        f"{max(saved):.2f} times as large",
        curves={
            "tightness": tightness(ratios),
            "cells": [{"settings": s, **result} for s, result in measurements],
        },
    )


CLAIM = Claim(
    name="sm3-regret",
    statement="conservative count-min without decay is SM3-II over its buckets, and has its regret "
    "bound",
    source="after Anil, Gupta, Koren & Singer 2019; theory §6",
    expected="holds",
    sizes={
        "tiny": {
            "problems": ["least squares"],
            "rate": 0.3,
            "n": 40,
            "samples": 80,
            "steps": 200,
            "compression": 3,
            "draws": 2,
        },
        "quick": {
            "problems": ["least squares", "logistic"],
            "rate": 0.3,
            "n": 100,
            "samples": 300,
            "steps": 1000,
            "compression": 4,
            "draws": 3,
        },
        "full": {
            "problems": ["least squares", "logistic"],
            "rate": 0.3,
            "n": 200,
            "samples": 600,
            "steps": 3000,
            "compression": 4,
            "draws": 5,
        },
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "5 s", "full": "1 min"},
)
