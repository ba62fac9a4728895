"""Time of an epoch against batch size: is the paper's 38 % there on a CPU?

Spring et al. (2019) trained MACH with exact Adam in batches of 750 and, in the memory that sketched
state set free, with RMSprop in batches of 2,600: an epoch took 38 % less. That number joins three
changes: a first moment less to keep, a sketch in place of V, and fewer, larger batches. Here the
same model runs at both sizes with each, so that they can be told apart; and how large a batch the
memory of exact Adam would allow is computed from the bytes of parameters, state and activations.
"""

import statistics

import numpy as np

import sketchlab as sl
from analysis.lab.study import Experiment, Table
from analysis.theory.published import ABSTRACT_TIME_SAVED, HOURS, TABLES
from analysis.training import mach
from analysis.training.optimizers import plain

BATCHES = (64, 256, 750, 2_600)
PUBLISHED = {"Adam": 750, "CS-V": 2_600}
REPEATS = {"full": 3, "quick": 1}
EXAMPLES = {"full": 10_400, "quick": 5_200}
COMPRESSION = 100


def _cms(decay):
    return {"v": sl.CountMinSketch(compression=COMPRESSION, decay=decay)}


#: label: family and stores; the first is the baseline, the second the paper's choice in its own
#: code's form.
OPTIMIZERS = {
    "Adam exact": ("Adam", {"m": sl.Dense(), "v": sl.Dense()}),
    "RMSprop CMS, bucket": ("RMSprop", _cms("bucket")),
    "RMSprop CMS, lazy": ("RMSprop", _cms("lazy")),
    "RMSprop exact": ("RMSprop", {"v": sl.Dense()}),
}
BASELINE, PAPERS = list(OPTIMIZERS)[:2]


def configure(options):
    """Return the configuration."""
    mode = options.mode
    common = mach.constants() | {"examples": EXAMPLES[mode], "batches": list(BATCHES)}
    cells = [
        {
            "label": label,
            "family": family,
            "stores": {moment: plain(store) for moment, store in stores.items()},
            "options": {},
            "learning_rate": 8e-3,
            "seed": options.seed,
            "replicate": replicate,
            **common,
        }
        for replicate in range(1, REPEATS[mode] + 1)
        for label, (family, stores) in OPTIMIZERS.items()
    ]
    return {"mode": mode, "cells": cells}, None


def summarise(configuration, result_of):
    """Return seconds an epoch of every optimizer and batch, and what the paper's change saves."""
    rows = []
    for label in OPTIMIZERS:
        cells = [settings for settings in configuration["cells"] if settings["label"] == label]
        results = [result_of(settings) for settings in cells]
        seconds = {
            str(batch): _median_and_range([one["epoch_seconds"][str(batch)] for one in results])
            for batch in BATCHES
        }
        rows.append({"optimizer": label, "epoch_seconds": seconds, "bytes": results[0]["bytes"]})
    return {"rows": rows, "saved": _saved(rows), "largest_batch": _largest_batch(rows)}


def _median_and_range(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def _saved(rows):
    """Shares of the baseline's epoch, at its batch size, that each change saves."""
    small, large = (str(PUBLISHED[name]) for name in ("Adam", "CS-V"))
    time = {row["optimizer"]: row["epoch_seconds"] for row in rows}
    base = time[BASELINE][small]["median"]

    def saved(label, batch):
        return 1 - time[label][batch]["median"] / base

    return {
        "both": saved(PAPERS, large),
        "batch alone": saved(BASELINE, large),
        "optimizer alone": saved(PAPERS, small),
    }


def _largest_batch(rows):
    """Names a batch that the memory of the baseline at its batch size allows, for every row."""
    sizes = {row["optimizer"]: row["bytes"] for row in rows}
    base = sizes[BASELINE]
    budget = base["fixed"] + PUBLISHED["Adam"] * base["each_name"]
    return {
        label: int((budget - size["fixed"]) // size["each_name"]) for label, size in sizes.items()
    }


def present(configuration, summary):
    """Return the table of seconds an epoch."""
    saved = summary["saved"]
    small, large = PUBLISHED.values()
    verdict = "there" if saved["both"] >= 0.8 * ABSTRACT_TIME_SAVED else "not there"
    notes = [
        f"{PAPERS} at {large:,} against {BASELINE} at {small}: {saved['both']:.0%} less time an "
        f"epoch (batch alone {saved['batch alone']:.0%}, optimizer alone "
        f"{saved['optimizer alone']:.0%}). The paper's {ABSTRACT_TIME_SAVED:.0%} are {verdict}.",
        f"Largest batch: in the memory of {BASELINE} at {small}, counting parameters, state, the "
        "output's gradient and activations.",
        "Processor time of one thread, median of "
        f"{len(configuration['cells']) // len(OPTIMIZERS)} runs of "
        f"{configuration['cells'][0]['examples']:,} names each, scaled to an epoch.",
        TABLES["10"].sentence(HOURS),
    ]
    columns = ("optimizer", *(f"batch {batch:,}, s" for batch in BATCHES), "largest batch")
    rows = [
        (
            row["optimizer"],
            *(f"{row['epoch_seconds'][str(batch)]['median']:.2f}" for batch in BATCHES),
            f"{summary['largest_batch'][row['optimizer']]:,}",
        )
        for row in summary["rows"]
    ]
    return Table(EXPERIMENT.title, columns, rows, notes)


def cost(settings):
    """Seconds of a run, roughly; the smaller the batch, the more steps."""
    steps = np.sum(settings["examples"] / np.asarray(settings["batches"]))
    return 4e-4 * settings["examples"] + 5e-3 * float(steps)


EXPERIMENT = Experiment(
    name="batch-time",
    title="MACH on ICD-10-CM: time of an epoch against batch size",
    source="Spring et al. 2019, Table 10 and abstract (38 % less time, batches 3.5 times larger)",
    configure=configure,
    alone=True,
    measure=mach.measure_time,
    summarise=summarise,
    present=present,
    cost=cost,
    duration={"quick": "30 s", "full": "1 min"},
)
