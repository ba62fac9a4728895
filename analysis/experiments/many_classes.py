"""MACH at the paper's number of classes: what training and search take, on synthetic power laws.

A softmax over 49.5 million classes would have 49.5 million rows. MACH trains classifiers of 20,000
meta-classes, whatever the number of classes, and finds the best classes of a query by an inverted
index (`analysis.problems.decoding`) whose answers are those of scoring every class.
"""

from analysis.lab import machine
from analysis.lab.process import in_new_process
from analysis.lab.study import Experiment, Table

CLASSES = {"quick": (10**5, 10**6), "full": (10**6, 49_500_000)}
COMMON = {
    "classifiers": 4,
    "meta_classes": 20_000,
    "features": 80_000,
    "hidden": 64,
    "batch": 256,
    "compression": 100,
    "steps": 5,
    "queries": 20,
    "scans": 2,
    "found": 100,
    "exponent": 1.5,
}


def configure(options):
    """Return the configuration; refuse what this machine's memory does not hold."""
    mode = options.mode
    cells = [{"classes": classes, **COMMON, "seed": options.seed} for classes in CLASSES[mode]]
    instead = "run a smaller one with --quick" if mode == "full" else "use another machine"
    machine.require(max(map(_needed, cells)), "the experiment with many classes", instead)
    return {"mode": mode, "cells": cells}, None


def _needed(settings):
    """Bytes of the index, of sorting one classifier's classes, and of everything else."""
    return settings["classes"] * (4 * settings["classifiers"] + 20) + 500e6


def measure(settings, _):
    """Measure in a fresh process."""
    return in_new_process("analysis.timing.many_classes", settings)


def summarise(configuration, result_of):
    """Return the measurements, and the bytes of the softmax that they do without."""
    rows = []
    for settings in configuration["cells"]:
        softmax = 4 * settings["classes"] * settings["hidden"]
        rows.append({"classes": settings["classes"], "softmax_bytes": softmax})
        rows[-1].update(result_of(settings))
    return {"rows": rows}


def present(configuration, summary):
    """Return the table."""
    common = configuration["cells"][0]
    columns = (
        "classes", "a step, ms", "parameters + state, MB", "softmax, MB", "index, MB",
        "index made, s", "query, ms", "classes scored", "scan of all, ms", "peak, MB",
    )  # fmt: skip
    agree = all(row["scans_agree"] for row in summary["rows"])
    notes = [
        f"{common['classifiers']} classifiers of {common['meta_classes']:,} meta-classes, "
        f"{common['hidden']} hidden units, batch {common['batch']}, RMSprop with V "
        f"{common['compression']}x smaller; step, parameters and state: of one classifier. "
        "Softmax: an output table with a row for every class.",
        f"Query: median of {common['queries']}, the best {common['found']} classes, of "
        f"probabilities with a power law of exponent {common['exponent']}. "
        + ("Scans of all classes gave the same scores." if agree else "SCANS GAVE OTHER SCORES."),
        "Processor time of one thread.",
    ]
    return Table(EXPERIMENT.title, columns, [_row(row) for row in summary["rows"]], notes)


def _row(row):
    return (
        f"{row['classes']:,}",
        f"{row['step_ms']:.0f}",
        f"{row['parameter_bytes'] / 1e6:.1f} + {row['state_bytes'] / 1e6:.2f}",
        f"{row['softmax_bytes'] / 1e6:,.0f}",
        f"{row['index_bytes'] / 1e6:,.0f}",
        f"{row['index_seconds']:.1f}",
        f"{row['query_ms']:.1f}",
        f"{row['scored']:,.0f}",
        f"{row['scan_ms']:,.0f}",
        f"{row['peak_bytes'] / 1e6:,.0f}",
    )


def cost(settings):
    """How long a run takes, roughly, in seconds."""
    return 5 + settings["classes"] * settings["classifiers"] * (1 + settings["scans"]) * 6e-8


EXPERIMENT = Experiment(
    name="many-classes",
    title="MACH with a million classes and with 49.5 million: training and search",
    source="Spring et al. 2019, Table 10 (Amazon, 49.5 million classes); Huang et al. 2018",
    configure=configure,
    measure=measure,
    summarise=summarise,
    present=present,
    alone=True,
    cost=cost,
    duration={"quick": "20 s", "full": "2 min"},
)
