"""Does the error of a store's updates, early in training with exact state, predict its training?

Every comparison of variants in ``results/`` is taken up again: exact state trains, at the rate that
was best for it, for the first share of the steps, and each variant's stores are driven beside it on
the same gradients (`analysis.advice.replay`). What is measured there is set against the final score
that training with those stores reached in the recorded comparison, each at a rate of its own. Then
advice is taken by each measure, at several budgets, and its score set against the best store's.
"""

import math
from itertools import islice
from pathlib import Path
from statistics import fmean

import numpy as np

from analysis.advice import early
from analysis.advice.recorded import SOURCES, groups_of
from analysis.advice.replay import REFERENCES, Beside, Errors, errors_of
from analysis.lab.intervals import rank_correlation
from analysis.lab.study import Experiment, Table
from analysis.training import tasks
from analysis.training.loop import may_diverge
from analysis.training.optimizers import described

RESULTS = Path(__file__).resolve().parents[2] / "results"
SIZES = {
    "full": {"share": early.SHARE, "replicates": 2},
    "quick": {"share": 0.01, "replicates": 1},
}
#: Budgets of the advice, as parts of exact state: a little more than the recorded sizes.
BUDGETS = (4, 16, 80, 800)
#: A choice within this much of the best score is as good.
GOOD = 0.02
#: The fewest stores among which a correlation is taken.
FEWEST = 5
ERROR = 0.05
KINDS = ("error", "shape", "row_shape")
BYTES, ELSEWHERE = "bytes", "score on other tasks"
OF_GROUP = ("source", "task", "family")
_SECONDS = {name: task.unit for name, task in tasks.TASKS.items()}
_SECONDS |= {"wikitext-lstm": 9e-2}


def configure(options):
    """Return what was recorded of every comparison, and how much of it is replayed."""
    groups = list(groups_of(RESULTS, SOURCES))
    size = SIZES[options.mode] | {"mode": options.mode, "seed": options.seed}
    return size | {"groups": groups}, {"corpus": options.corpus}


def runs(configuration):
    """Return one replay for every variant and seed."""
    return [
        cell
        for group in configuration["groups"]
        for row in group["rows"]
        for cell in _seeds(configuration, group, row)
    ]


def _seeds(configuration, group, row):
    steps = early.share_of(group["exact"], configuration["share"])
    return [
        group["exact"]
        | {
            "replayed": {"stores": row["stores"], "options": row["options"], "steps": steps},
            "replicate": replicate,
        }
        for replicate in range(1, configuration["replicates"] + 1)
    ]


@may_diverge()
def measure(settings, inputs):
    """Train with exact state for a while, a variant's stores beside it, and return its errors."""
    replayed, errors = settings["replayed"], Errors()
    shapes, steps = early.begin(settings, inputs)
    seeds = np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"], 1))
    seeds = iter(seeds.generate_state(2 * len(shapes)).tolist())
    beside = [
        Beside(
            shape,
            settings["family"],
            {moment: store.with_seed(next(seeds)) for moment, store in described(replayed).items()},
            replayed["options"],
            np.zeros(shape[0], np.int64),
            errors,
        )
        for shape in shapes
    ]
    finite = [True]
    for gradients in islice(steps, replayed["steps"]):
        finite = [one.step(part) for one, part in zip(beside, gradients, strict=True)]
        if not all(finite):
            break
    lost = not all(finite)
    return {"diverged": lost, "errors": None if lost else errors_of(errors, replayed["stores"])}


# -- what it says ------------------------------------------------------------------------------


def summarise(configuration, result_of):
    """Return, for every measure, its rank correlations with the scores and the advice by it."""
    groups = [_measured(configuration, group, result_of) for group in configuration["groups"]]
    names = dict.fromkeys(name for group in groups for row in group["rows"] for name in row["by"])
    measures = {name: _judged(groups, name) for name in names}
    return {"groups": groups, "measures": measures}


def _measured(configuration, group, result_of):
    rows = [
        {key: row[key] for key in ("variant", "exact_to_state", "score")}
        | {"by": _measures(row, [result_of(cell) for cell in _seeds(configuration, group, row)])}
        for row in group["rows"]
    ]
    return {key: group[key] for key in OF_GROUP} | {"rows": rows}


def _measures(row, results):
    """Every measure that stores can be ranked by, small being good; None where it is not finite."""
    quantities = [f"update, {reference}" for reference in REFERENCES] + list(row["stores"])
    lost = any(result["diverged"] for result in results)
    found = {
        f"{quantity}: {kind}": None
        if lost
        else fmean(result["errors"][quantity][kind] for result in results)
        for quantity in quantities
        for kind in KINDS
    }
    return found | {BYTES: row["exact_to_state"], ELSEWHERE: row["elsewhere"]}


def _judged(groups, name):
    """Rank correlations of a measure in each comparison, and the advice that it gives."""
    having = [group for group in groups if all(name in row["by"] for row in group["rows"])]
    correlations, advice = [], []
    for group in having:
        about = {key: group[key] for key in OF_GROUP}
        if len(group["rows"]) >= FEWEST:
            pairs = [(_or_worst(row["by"][name]), _or_worst(row["score"])) for row in group["rows"]]
            interval = rank_correlation(*zip(*pairs), ERROR)
            correlations.append(about | dict(zip(("rho", "low", "high"), interval)))
            correlations[-1]["stores"] = len(pairs)
        for budget in BUDGETS:
            fitting = [row for row in group["rows"] if row["exact_to_state"] >= budget]
            if len(fitting) > 1:
                advice.append(about | {"budget": budget} | _advised(fitting, name))
    return {
        "correlations": correlations,
        "mean": fmean(one["rho"] for one in correlations) if correlations else None,
        "advice": advice,
        "held": sum(one["loss"] is not None and one["loss"] <= GOOD for one in advice),
    }


def _or_worst(value):
    return math.inf if value is None else value


def _advised(rows, name):
    """The store that a measure chooses, the best one, and by how much its score is worse."""
    chosen = min(rows, key=lambda row: _or_worst(row["by"][name]))
    best = min(rows, key=lambda row: _or_worst(row["score"]))
    lost = chosen["score"] is None
    return {
        "chosen": chosen["variant"],
        "best": best["variant"],
        "loss": None if lost else chosen["score"] / best["score"] - 1,
    }


def present(configuration, summary):
    """Return a row for each measure, from the best advice to the worst."""
    measures = sorted(summary["measures"].items(), key=lambda item: _badness(item[1]))
    names = list(dict.fromkeys(group["task"] for group in summary["groups"]))
    rows = [
        (
            name,
            *_correlations(found["correlations"]),
            f"{found['held']} of {len(found['advice'])}",
            *(_on_task(found["advice"], task) for task in names),
        )
        for name, found in measures
    ]
    titles = ("measure", "rank correlation", "lowest .. highest", f"within {GOOD:.0%}", *names)
    return Table(EXPERIMENT.title, titles, rows, list(_notes(configuration, measures)))


def _badness(found):
    """Share of the advice that does not hold; where that is equal, the weaker correlation."""
    return 1 - found["held"] / max(1, len(found["advice"])), -(found["mean"] or 0)


def _correlations(found):
    if not found:
        return "", ""
    low, high = (pick(found, key=lambda one: one["rho"]) for pick in (min, max))
    return (
        f"{fmean(one['rho'] for one in found):+.2f} of {len(found)}",
        f"{low['rho']:+.2f} .. {high['rho']:+.2f}",
    )


def _on_task(advice, task):
    """Cases that hold on a task, and the largest loss there."""
    losses = [_or_worst(one["loss"]) for one in advice if one["task"] == task]
    if not losses:
        return ""
    worst = f"{max(losses):+.1%}" if max(losses) < math.inf else "diverged"
    return f"{sum(loss <= GOOD for loss in losses)} of {len(losses)}, {worst}"


def _notes(configuration, measures):
    yield (
        f"Exact state trains for {configuration['share']:.0%} of the steps, "
        f"{configuration['replicates']} seeds; stores beside it. Rank correlation (Spearman) of "
        "the measure with the recorded final scores: the mean over comparisons of one family on "
        f"one task with at least {FEWEST} stores, exact state not among them."
    )
    yield (
        f"Within {GOOD:.0%}: of the cases (a comparison and a budget of 1/"
        f"{', 1/'.join(map(str, BUDGETS))} of exact state), those in which the store of the "
        "smallest measure has a score that good of the best store's within the budget; by task, "
        "with the largest loss."
    )
    yield (
        "Update, lazy / own: against exact state that decays lazily / as the store does. Error: "
        "‖û − u‖/‖u‖ of all updates together; shape: the same at the best rate, √(1 − cosine²); "
        "row_shape: 1 − the mean cosine of a row. m, v: of the moments themselves. Bytes: the more "
        "the better. Score on other tasks: the store's recorded score to exact state's elsewhere."
    )
    name, best = measures[0]
    for one in best["correlations"]:
        yield (
            f"{name}: {one['source']}, {one['family']}, {one['stores']} stores: {one['rho']:+.2f} "
            f"({1 - ERROR:.0%} interval {one['low']:+.2f} .. {one['high']:+.2f})."
        )
    for one in best["advice"]:
        if _or_worst(one["loss"]) > GOOD:
            loss = "diverged" if one["loss"] is None else f"{one['loss']:+.1%}"
            yield (
                f"{name} fails: {one['source']}, 1/{one['budget']}: {one['chosen']}, {loss} of "
                f"{one['best']}."
            )


def cost(settings):
    """Seconds of a replay, about."""
    return 3 * settings["replayed"]["steps"] * _SECONDS[settings["task"]] + 1


EXPERIMENT = Experiment(
    name="replay-predicts",
    title="Which measure of a store, on early gradients of exact training, predicts its training",
    source="no counterpart",
    duration={"quick": "3 min", "full": "15 min"},
    configure=configure,
    runs=runs,
    measure=measure,
    summarise=summarise,
    present=present,
    cost=cost,
)
