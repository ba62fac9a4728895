"""Which pairs of stores for Adam's two moments train, and which diverge, clipped or not.

An update divides an estimate of m by the root of an estimate of v. Where v is answered well and m
is not, the noise that frequent rows leave in a rare row's m is divided by that row's tiny √v; a
sketched v, which is too large for the same rows, hides it. Every pair runs at rates around the one
at which exact state does best, without a search: what is asked is whether it trains.
"""

import math
import statistics
from itertools import product

import sketchlab as sl
from analysis.lab.study import Experiment, Table
from analysis.training import language, tasks
from analysis.training.variants import Variant

REPLICATES = 3
FULL = {"task": "language", "steps": 300, "test_words": 5_000, "rates": [1e-3, 8e-3]}
QUICK = {"task": "language", "steps": 40, "test_words": 1_000, "rates": [8e-3]}
TIMES = 5

_SKETCH = sl.CountSketch(compression=TIMES, decay="global")
FIRST = {
    "exact, lazy": sl.Dense(decay="lazy"),
    "exact, w": sl.Dense(decay="global", row_weights=True),
    "sketch, lazy": sl.CountSketch(compression=TIMES, decay="lazy"),
    "sketch, global": _SKETCH,
    "sketch, w": sl.CountSketch(compression=TIMES, decay="global", row_weights=True),
    "head-tail, w": sl.HeadTail(head=0.75, tail=_SKETCH, row_weights=True),
}
_CONSERVATIVE = sl.CountMinSketch(compression=TIMES, decay="global", conservative=True)
SECOND = {
    "exact, lazy": sl.Dense(decay="lazy"),
    "count-min, lazy": sl.CountMinSketch(compression=TIMES, decay="lazy"),
    "conservative": _CONSERVATIVE,
    "head-tail": sl.HeadTail(head=0.75, tail=_CONSERVATIVE),
    "rank-1": sl.Rank1(decay="global"),
}
CLIPS = {"no clip": {}, "clip": {"clip": "feasible"}}


def _pairs():
    """Every pair by its names, clipped or not, but where no clip is defined: m lasts, v fades."""
    for (first, m), (second, v), (clip, options) in product(
        *map(dict.items, (FIRST, SECOND, CLIPS))
    ):
        if not (options and m.decay == "lazy" and v.decay == "global"):
            state = f"{first} / {second}"
            yield (first, second, clip), Variant("Adam", state, clip, m, v, options)


PAIRS = dict(_pairs())


def configure(options):
    """Return the configuration that the options ask for, and the path of the text."""
    part = QUICK if options.quick else FULL
    part = part | {"validation_words": part["test_words"]}
    configuration = {
        "mode": options.mode,
        "replicates": REPLICATES,
        "plan": tasks.plans({"pairs": part}, options)["pairs"],
    }
    return configuration, {"corpus": options.corpus}


def _seeds(configuration, variant, rate):
    replicates = range(1, configuration["replicates"] + 1)
    return [language.settings(configuration["plan"], variant, rate, each) for each in replicates]


def runs(configuration):
    """Return every pair at every rate with every seed."""
    return [
        cell
        for variant in PAIRS.values()
        for rate in configuration["plan"]["rates"]
        for cell in _seeds(configuration, variant, rate)
    ]


def summarise(configuration, result_of):
    """Return, for every pair and rate, its perplexities and how many runs diverged."""
    return {
        "rows": [
            {
                **dict(zip(("m", "v", "clip"), names, strict=True)),
                "runs": [
                    _runs(rate, map(result_of, _seeds(configuration, variant, rate)))
                    for rate in configuration["plan"]["rates"]
                ],
            }
            for names, variant in PAIRS.items()
        ]
    }


def _runs(rate, results):
    scores = [math.inf if result["diverged"] else result["score"] for result in results]
    finished = [score for score in scores if score < math.inf]
    return {
        "learning_rate": rate,
        "scores": [score if score < math.inf else None for score in scores],
        "diverged": len(scores) - len(finished),
        "mean": statistics.fmean(finished) if finished else None,
    }


def present(configuration, summary):
    """Return a table with a row for each pair; clipped and not, at every rate."""
    plan = configuration["plan"]
    rates = plan["rates"]
    found = {(row["m"], row["v"], row["clip"]): map(_text, row["runs"]) for row in summary["rows"]}
    undefined = ["-"] * len(rates)
    lines = [
        (m, v, *(text for clip in CLIPS for text in found.get((m, v, clip), undefined)))
        for m, v in product(FIRST, SECOND)
    ]
    notes = [
        f"Language model, {plan['steps']} steps, {configuration['replicates']} seeds: mean test "
        "perplexity; a run diverged if it predicts worse than a guess among all words.",
        f"Sketches {TIMES}x, v conservative or head-tail under global decay; w: global m with row "
        "weights; -: no clip is defined for a lazy m over a global v.",
    ]
    titles = (f"{clip}, rate {rate:g}" for clip, rate in product(CLIPS, rates))
    return Table(EXPERIMENT.title, ("m", "v", *titles), lines, notes)


def _text(runs):
    if runs["mean"] is None:
        return "diverged"
    return f"{runs['mean']:.0f}" + (f" ({runs['diverged']} diverged)" if runs["diverged"] else "")


def cost(settings):
    """Seconds of a run, about."""
    return tasks.cost({"task": "language", **settings})


EXPERIMENT = Experiment(
    name="pairings",
    title="Adam's two moments: which pairs of stores train and which diverge",
    source="docs/stores.md",
    duration={"quick": "1 min", "full": "5 min"},
    configure=configure,
    runs=runs,
    measure=language.measure,
    summarise=summarise,
    present=present,
    cost=cost,
)
