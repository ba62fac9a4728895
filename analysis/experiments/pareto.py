"""Quality against bytes of auxiliary state: every store, on the same tasks, with equal effort.

Second moments by RMSprop, first moments by Momentum, where values of either sign leave fewer
stores to choose from.
"""

import sketchlab as sl
from analysis.advice.candidates import STORES
from analysis.lab.study import Table
from analysis.training import tasks
from analysis.training.variants import Variant

FULL = {
    "language": {
        "task": "language",
        "steps": 1_000,
        "validation_words": 10_000,
        "test_words": 25_000,
        "base_rates": {"RMSprop": 0.012, "Momentum": 2.8},
    },
    "mach": {
        "task": "mach",
        "steps": 300,
        "validation_queries": 1_000,
        "test_queries": None,
        "base_rates": {"RMSprop": 0.032},
        "common": {"classifiers": 1},
    },
    "logistic": {"task": "logistic", "steps": 2_000},
}
QUICK = {
    "language": FULL["language"] | {"steps": 60, "validation_words": 1_000, "test_words": 2_000},
    "mach": FULL["mach"] | {"steps": 15, "validation_queries": 200, "test_queries": 200},
    "logistic": FULL["logistic"] | {"steps": 200},
}
ALL_TIMES = (5, 20, 100, 1000)
FEW_TIMES = (5, 100)
SIZES = {
    "full": {"tries": 3, "replicates": 3, "parts": FULL},
    "quick": {"tries": 3, "replicates": 3, "parts": QUICK},
}


#: For each moment the sketches, and the compressions tried.
SKETCHES = {
    "v": {
        "count-min lazy": ALL_TIMES,
        "count-min bucket": (5, 100),
        "count-min global": ALL_TIMES,
        "count-min conservative": ALL_TIMES,
        "bucket mean": ALL_TIMES,
        "head-tail conservative": (5, 20, 100),
    },
    "m": {
        "count-sketch lazy": (2, 5, 20),
        "count-sketch global": (5,),
        "head-tail global": (5, 20),
    },
}
#: Stores that keep at least a number for every row or block of one.
BY_ROW = {"v": ("row-wise", "rank-1", "SM3", "8 bit"), "m": ("8 bit",)}


def _variants(family, moment, times, by_row=True):
    """Exact state and every store of a family's one moment."""
    yield Variant(family, "exact", "lazy", **{moment: sl.Dense(decay="lazy")})
    for name, tried in SKETCHES[moment].items():
        for each in tried:
            if each in times:
                store = STORES[moment][name].describe(each)
                yield Variant(family, name, f"{each}x", **{moment: store})
    for name in BY_ROW[moment] if by_row else ():
        yield Variant(family, name, "", **{moment: STORES[moment][name].describe(1)})


def variants(mode):
    """The variants of every part.

    Of a table of one column, a number a row is as much as the exact variable: logistic regression
    goes without the stores that need it.
    """
    times = FEW_TIMES if mode == "quick" else ALL_TIMES
    both = (*_variants("RMSprop", "v", times), *_variants("Momentum", "m", times))
    columns = (
        *_variants("RMSprop", "v", times, by_row=False),
        *_variants("Momentum", "m", times, by_row=False),
    )
    return {
        "language": both,
        "mach": tuple(_variants("RMSprop", "v", FEW_TIMES)),
        "logistic": columns,
    }


def _marked(rows_of):
    """Mark the rows that another one beats in quality and bytes."""
    for rows in rows_of.values():
        for row in rows:
            row["dominated"] = any(_dominates(other, row) for other in rows)
    return {}


def _dominates(row, other):
    """Whether a row has a lower mean score than another of its family, with no more bytes."""
    if row["family"] != other["family"] or row["mean"] is None:
        return False
    better = other["mean"] is None or row["mean"] < other["mean"]
    return better and row["state_bytes"] <= other["state_bytes"]


def present(configuration, summary):
    """Return one table of all parts, from many bytes to few."""
    lines = [
        (*tasks.table_row(plan, row), "" if row["dominated"] else "yes")
        for name, plan in configuration["parts"].items()
        for row in sorted(summary["parts"][name], key=_place)
    ]
    rows = [row for part in summary["parts"].values() for row in part]
    notes = [
        *tasks.notes(configuration, rows),
        "Best: no store of the family has a lower mean score with as few bytes or fewer.",
    ]
    return Table(EXPERIMENT.title, (*tasks.COLUMNS, "best"), lines, notes)


def _place(row):
    return row["family"] != "RMSprop", -row["state_bytes"]


EXPERIMENT = tasks.experiment(
    variants,
    SIZES,
    also=_marked,
    name="pareto",
    title="Quality against bytes of auxiliary state, for every store",
    source="Spring et al. 2019 (sketches); Anil et al. 2019 (SM3); Dettmers et al. 2022 (8 bit)",
    duration={"quick": "1 min", "full": "20 min"},
    present=present,
)
