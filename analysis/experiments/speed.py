"""Speed on the CPU: sparse steps beside the exact ones, PyTorch's, and a copy of memory.

Sketches are 5 times smaller than exact, of depth 3. Everything in a line of the table was timed in
one process, taking turns; compare within a line, or by the copy's bandwidth.
"""

import os
import statistics

import numpy as np

from analysis.cpu.timing import CONTENDERS, COPIED
from analysis.experiment import Experiment, Table, total
from analysis.process import in_new_process

SIZES = ("Adam CS-MV lazy",)  # alone where the table takes half of the memory
FULL = [
    (200_000, 256, 4_096, tuple(CONTENDERS)),
    (100_000, 256, 4_096, SIZES),
    (1_000_000, 256, 4_096, SIZES),
    (10_000_000, 256, 4_096, SIZES),
    (100_000, 64, 4_096, SIZES),
    (1_000_000, 64, 4_096, SIZES),
    (10_000_000, 64, 4_096, SIZES),
]
QUICK = FULL[:3]
REPEATS = {"full": 30, "quick": 15}


def configure(options):
    """Return the configuration, which names the machine's number of cores."""
    mode = "quick" if options.quick else "full"
    cells = [
        {
            "n": n,
            "dim": dim,
            "k": k,
            "contenders": list(contenders),
            "threads": os.cpu_count(),
            "repeats": REPEATS[mode],
            "seed": options.seed,
        }
        for n, dim, k, contenders in (QUICK if options.quick else FULL)
    ]
    return {"mode": mode, "cells": cells}, None


def stages(configuration, _):
    """Yield one cell at a time: nothing else may run meanwhile."""
    for settings in configuration["cells"]:
        yield [settings]


def measure(settings, _):
    """Time one shape."""
    return in_new_process("analysis.cpu.timing", settings, settings["threads"])


def summarise(configuration, result_of):
    """Return median, quartiles and ratios of every contender on every shape."""
    rows = []
    for settings in configuration["cells"]:
        times = result_of(settings)
        medians = {name: statistics.median(values) for name, values in times.items()}
        bandwidth = 2 * COPIED / (medians["copy"] * 1e-3)
        for name in settings["contenders"]:
            if name in times:
                low, high = np.quantile(times[name], [0.25, 0.75])
                rows.append(
                    {
                        "contender": name,
                        **{size: settings[size] for size in ("n", "dim", "k")},
                        "ms": medians[name],
                        "quartiles_ms": [float(low), float(high)],
                        "of_torch": _ratio(medians, name, "torch.optim.SparseAdam"),
                        "copy_gb_per_s": bandwidth / 1e9,
                    }
                )
    return {"rows": rows}


def _ratio(medians, name, other):
    return medians[name] / medians[other] if other in medians else None


def present(configuration, summary):
    """Return the table."""
    threads = configuration["cells"][0]["threads"]
    columns = ("optimizer", "n", "d", "k", "ms", "quartiles", "of SparseAdam", "copy, GB/s")
    notes = [
        f"{threads} threads; a copy larger than the caches goes before every step. "
        "SparseAdam: where torch is installed (extra `compare`)."
    ]
    return Table(EXPERIMENT.title, columns, [_row(row) for row in summary["rows"]], notes)


def _row(row):
    low, high = row["quartiles_ms"]
    return (
        row["contender"],
        f"{row['n']:,}",
        str(row["dim"]),
        f"{row['k']:,}",
        f"{row['ms']:.2f}",
        f"{low:.2f}-{high:.2f}",
        "" if row["of_torch"] is None else f"{row['of_torch']:.2f}",
        f"{row['copy_gb_per_s']:.1f}",
    )


def cost(settings):
    """How long a cell takes, roughly, in seconds."""
    per_repeat = 0.1 * (1 + len(settings["contenders"]))
    return settings["n"] * settings["dim"] * 2e-9 + settings["repeats"] * per_repeat + 5


EXPERIMENT = Experiment(
    name="speed",
    title="Time of a sparse optimizer step on the CPU",
    source="design: faster than torch.optim.SparseAdam, at a cost that does not depend on n",
    configure=configure,
    stages=stages,
    measure=measure,
    summarise=summarise,
    present=present,
    cost=cost,
    workload=lambda configuration: total(cost, configuration["cells"]),
    duration={"quick": "1 min", "full": "3 min"},
    on_request=True,
)
