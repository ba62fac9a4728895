"""Cold start: the imports and the first step in new processes, kernels cached on disk or not.

Every process is a new one, and they come one after another. The first of a group finds an empty
folder for kernels and compiles, the others find what it left there.
"""

import os
import statistics
import tempfile

import numpy as np

from analysis.lab.process import in_new_process
from analysis.lab.study import Experiment, Table
from analysis.timing.cold_start import OPTIMIZERS

#: What is asked for, in seconds: of ``import sketchlab`` on top of Numba's, of a cached first step.
IMPORT_LIMIT, STEP_LIMIT = 0.2, 0.5

#: Groups of processes with an empty folder each, and how many in a group find it filled.
GROUPS = {"full": (3, 10), "quick": (1, 7)}


def configure(options):
    """Return the configuration, which names the machine's number of cores."""
    mode = options.mode
    groups, cached = GROUPS[mode]
    cells = [
        {
            "optimizer": name,
            "n": 100_000,
            "dim": 64,
            "k": 1_000,
            "threads": os.cpu_count(),
            "groups": groups,
            "cached": cached,
            "seed": options.seed,
        }
        for name in OPTIMIZERS
    ]
    return {"mode": mode, "cells": cells}, None


def measure(settings, _):
    """The measurements of all processes, by whether the kernels were there: "empty", "cached"."""
    runs = {"empty": [], "cached": []}
    for _ in range(settings["groups"]):
        with tempfile.TemporaryDirectory() as folder:
            for name, processes in (("empty", 1), ("cached", settings["cached"])):
                for _ in range(processes):
                    asked = settings | {"cache": folder}
                    run = in_new_process("analysis.timing.cold_start", asked, settings["threads"])
                    runs[name].append(run)
    return runs


def summarise(configuration, result_of):
    """Return median and quartiles of every time; import times are those of all cached processes."""
    runs = {cell["optimizer"]: result_of(cell) for cell in configuration["cells"]}
    cached = [run for by_state in runs.values() for run in by_state["cached"]]
    rows = [
        _spread("import numba", None, cached, "import_numba_s"),
        _spread("import sketchlab, on top", IMPORT_LIMIT, cached, "import_sketchlab_s"),
    ]
    for state, what, limit in (
        ("cached", "first step, cached", STEP_LIMIT),
        ("empty", "first step ever", None),
    ):
        for name, by_state in runs.items():
            row = _spread(f"{what}: {name}", limit, by_state[state], "first_step_s")
            rows.append(row | {kind: _range(by_state[state], kind) for kind in KINDS})
    return {"rows": rows}


KINDS = ("compiled", "loaded")


def _spread(what, limit, runs, name):
    times = [run[name] for run in runs]
    low, high = np.quantile(times, [0.25, 0.75])
    return {
        "what": what,
        "s": statistics.median(times),
        "quartiles_s": [float(low), float(high)],
        "processes": len(times),
        "limit_s": limit,
    }


def _range(runs, kind):
    """The least and the largest number of kernels."""
    numbers = [run[kind] for run in runs]
    return [min(numbers), max(numbers)]


def present(configuration, summary):
    """Return the table; what is asked for is judged by the medians."""
    columns = ("what", "s", "quartiles", "processes", "compiled", "loaded", "at most, s")
    cell = configuration["cells"][0]
    notes = [
        *(_judged(row) for row in summary["rows"] if row["limit_s"] is not None),
        f"{cell['k']:,} rows of {cell['n']:,} by {cell['dim']}, float32, {cell['threads']} "
        "threads; a new process each time, the files of Python and Numba in memory. "
        "Compiled, loaded: kernels in a process.",
    ]
    return Table(EXPERIMENT.title, columns, [_row(row) for row in summary["rows"]], notes)


def _judged(row):
    """One line: whether a time keeps its limit, all of whose kernels must have been found."""
    verdict = "kept" if row["s"] <= row["limit_s"] else "not kept"
    if max(row.get("compiled", [0])) > 0:
        verdict = "says nothing, as kernels were compiled again"
    return f"{row['what']}: {row['s']:.3f} s, at most {row['limit_s']} s asked for: {verdict}."


def _row(row):
    low, high = row["quartiles_s"]
    return (
        row["what"],
        f"{row['s']:.3f}",
        f"{low:.3f}-{high:.3f}",
        str(row["processes"]),
        *("-".join(map(str, sorted(set(row.get(kind, []))))) for kind in KINDS),
        "" if row["limit_s"] is None else str(row["limit_s"]),
    )


def cost(settings):
    """How long a run takes, roughly, in seconds."""
    return settings["groups"] * (12 + settings["cached"])


EXPERIMENT = Experiment(
    name="cold-start",
    title="Imports and the first step in a new process",
    source="design: at most 0.2 s on top of Numba's import, a cached first step at most 0.5 s",
    configure=configure,
    measure=measure,
    summarise=summarise,
    present=present,
    alone=True,
    cost=cost,
    duration={"quick": "2 min", "full": "8 min"},
    on_request=True,
)
