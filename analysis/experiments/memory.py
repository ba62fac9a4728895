"""Memory: what the shapes of the paper's tables come to, what it published, what is measured here.

*Computed* are the bytes of the stores. *Measured* is the peak physical memory of fresh processes
(`analysis.timing.residence`) that hold tables of the paper's size and train them, above what such a
process holds before it makes the tables; what a state saves is this with exact state less this with
that state. Published memory is that of a GPU, with activations, workspaces and the allocator's
reserve.
"""

from analysis.lab import machine
from analysis.lab.process import in_new_process
from analysis.lab.study import Experiment, Table
from analysis.problems import shapes
from analysis.theory.published import AMAZON_GB, MEMORY, TABLES
from analysis.training.optimizers import plain
from sketchlab import CountMinSketch, CountSketch, Dense

ACTIVE = 4_096
STEPS = 30
ALLOWED = 0.05
BESIDE = 400e6  # bytes beside parameters and state: the interpreter, libraries, a step's arrays


def _v(decay, compression):
    return {"v": CountMinSketch(compression=compression, decay=decay)}


_ADAM = {"m": Dense(), "v": Dense()}

#: task: layers, divisor of their rows in the quick version, and (label, family, stores); exact
#: state comes first, and no state at all last.
MEASURED = {
    "LM1B": (
        shapes.LM1B,
        10,
        (
            ("Adam exact", "Adam", _ADAM),
            ("Adam CS-MV", "Adam", {"m": CountSketch(), "v": CountMinSketch()}),
            ("Adam CS-V", "Adam", {"m": Dense(), "v": CountMinSketch()}),
            ("RMSprop CMS", "RMSprop", _v("lazy", 5)),
            ("SGD", "SGD", {}),
        ),
    ),
    "Amazon": (
        shapes.AMAZON,
        10,
        (
            ("Adam exact", "Adam", _ADAM),
            ("RMSprop CMS 1 %, bucket", "RMSprop", _v("bucket", 100)),
            ("RMSprop CMS 1 %, global", "RMSprop", _v("global", 100)),
            ("RMSprop CMS 1 %, lazy", "RMSprop", _v("lazy", 100)),
            ("SGD", "SGD", {}),
        ),
    ),
}


def configure(options):
    """Return the configuration; refuse what this machine's memory does not hold."""
    mode = options.mode
    cells = [
        _settings(task, label, mode, options.seed)
        for task, (_, _, states) in MEASURED.items()
        for label, _, _ in states
    ]
    needed = max(map(_needed, cells))
    instead = "run a tenth of it with --quick" if mode == "full" else "use another machine"
    machine.require(needed, "the memory experiment", instead)
    return {"mode": mode, "cells": cells}, None


def _settings(task, label, mode, seed):
    layers, divisor, states = MEASURED[task]
    family, stores = next((family, stores) for name, family, stores in states if name == label)
    parts = divisor if mode == "quick" else 1
    return {
        "task": task,
        "label": label,
        "tables": [
            {"shape": [layer.n // parts, layer.dim], "dense": layer.dense} for layer in layers
        ],
        "family": family,
        "stores": {moment: plain(store) for moment, store in stores.items()},
        "options": {},
        "learning_rate": 1e-3,
        "active": ACTIVE // parts,
        "steps": STEPS,
        "seed": seed,
    }


def _needed(settings):
    """Bytes that a run takes: parameters, state, and as much as the densest gradient again."""
    sizes = [4 * one["shape"][0] * one["shape"][1] for one in settings["tables"]]
    exact = sum(store["kind"] == "Dense" for store in settings["stores"].values())
    dense = [size for size, one in zip(sizes, settings["tables"]) if one["dense"]]
    return (1.25 + exact) * sum(sizes) + 2 * sum(dense) + BESIDE


def measure(settings, _):
    """Train in a fresh process and return its peaks."""
    return in_new_process("analysis.timing.residence", settings)


def summarise(configuration, result_of):
    """Return what every state saves: computed and published, computed and measured."""
    return {
        "published": [row for case in shapes.CASES for row in _published(case)],
        "measured": [row for task in MEASURED for row in _measured(task, configuration, result_of)],
    }


def _published(case):
    megabytes = (
        {name: 1e3 * value for name, value in AMAZON_GB.items()}
        if case.number == "10"
        else TABLES[case.number].of(MEMORY)
    )
    exact = next(iter(case.states))
    for name in case.states:
        yield {
            "table": case.number,
            "task": case.task,
            "state": name,
            "assumed": case.assumed,
            "parameter_mb": case.parameter_bytes() / 1e6,
            "state_mb": case.state_bytes(name) / 1e6,
            "saved_mb": (case.state_bytes(exact) - case.state_bytes(name)) / 1e6,
            "published_mb": megabytes[name],
            "published_saved_mb": megabytes[exact] - megabytes[name],
        }


def _measured(task, configuration, result_of):
    cells = [settings for settings in configuration["cells"] if settings["task"] == task]
    exact = result_of(cells[0])
    for settings in cells:
        result = result_of(settings)
        computed = exact["state_bytes"] - result["state_bytes"]
        saved = _taken(exact, "peak_bytes") - _taken(result, "peak_bytes")
        yield {
            "task": task,
            "state": settings["label"],
            "parameter_mb": result["parameter_bytes"] / 1e6,
            "state_mb": result["state_bytes"] / 1e6,
            "base_mb": result["base_bytes"] / 1e6,
            "peak_mb": result["peak_bytes"] / 1e6,
            "zipf_steps_alone_mb": _taken(result, "peak_after_zipf_bytes") / 1e6,
            "saved_mb": computed / 1e6,
            "measured_saved_mb": saved / 1e6,
            "deviation": saved / computed - 1 if computed else None,
        }


def _taken(result, peak):
    return result[peak] - result["base_bytes"]


def present(configuration, summary):
    """Return the table: the paper's tables first, then what was measured."""
    rows = [_published_row(row) for row in summary["published"]]
    rows += [_measured_row(row) for row in summary["measured"]]
    far = [row for row in summary["measured"] if abs(row["deviation"] or 0) > ALLOWED]
    notes = [
        "Computed: bytes of the stores for the layers of that shape; saved: less than with the "
        "first state of the same task. Published: the paper's GPU memory, whole models.",
        "Measured: peak physical memory of a fresh process, after one pass over all rows; "
        f"{configuration['mode']} size. Difference: measured saving against computed.",
        f"Within {ALLOWED:.0%}: {len(summary['measured']) - len(far) - len(MEASURED)} of "
        f"{len(summary['measured']) - len(MEASURED)} measured savings.",
    ]
    if any(row["state"].endswith("lazy") for row in far):
        notes.append(
            "lazy: a dense step of a lazy sketch holds the change of every row while it runs, one "
            "more array of the size of the layer; bucket and global decay need none."
        )
    notes += sorted({f"Table {row['table']}: {row['assumed']}." for row in summary["published"]
                     if row["assumed"]})  # fmt: skip
    return Table(
        EXPERIMENT.title,
        ("task", "state", "state, MB", "saved, MB", "published", "measured", "difference"),
        rows,
        notes,
    )


def _published_row(row):
    return (
        f"Table {row['table']}: {row['task']}",
        row["state"],
        f"{row['state_mb']:,.0f}",
        f"{row['saved_mb']:,.0f}",
        f"{row['published_saved_mb']:,.0f}",
        "",
        "",
    )


def _measured_row(row):
    deviation = row["deviation"]
    return (
        f"{row['task']}, here",
        row["state"],
        f"{row['state_mb']:,.0f}",
        f"{row['saved_mb']:,.0f}",
        "",
        f"{row['measured_saved_mb']:,.0f}",
        "" if deviation is None else f"{deviation:+.1%}",
    )


def cost(settings):
    """How long a run takes, roughly, in seconds."""
    numbers = sum(one["shape"][0] * one["shape"][1] for one in settings["tables"])
    return 3 + numbers * (1 + len(settings["stores"])) * 2e-8


EXPERIMENT = Experiment(
    name="memory",
    title="Memory of optimizer state: computed, published, measured",
    source="Spring et al. 2019, Tables 5-8 and 10",
    configure=configure,
    measure=measure,
    summarise=summarise,
    present=present,
    alone=True,
    cost=cost,
    duration={"quick": "30 s", "full": "2 min"},
)
