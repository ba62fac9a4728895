"""Which count-sketch errs least for a signed first moment: a map as `store_map`'s of second ones.

Same streams, but that a touched row adds √(i^(−a))·(u_i + z), with a direction u_i of its own and
noise z alike, of normal numbers in `dim` columns. A store's answer is what a step gives to the
rule, and its error the mean of log₂(1 + ‖m̂ − m‖/‖m‖), where m is the exact variable that decays as
the store does: one octave where it is off by as much as the value is large, which is what answering
0 costs. (Row weights scale answer and truth alike: their errors are those of ``global``.)
"""

from functools import partial

import numpy as np

import sketchlab as sl
from analysis.experiments import store_map
from analysis.lab.study import Experiment

SIZES = {
    "quick": {
        "load": [2, 6, 20, 60],
        "keep": [0.9, 0.97],
        "touched": [0.05, 0.2, 1.0],
        "exponent": [0.0, 1.0, 2.0],
        "held_out": 40,
        "width": 24,
        "dim": 16,
        "streams": 2,
    },
    "full": {
        "load": [2, 8, 24, 80, 256],
        "keep": [0.9, 0.97, 0.99],
        "touched": [0.01, 0.05, 0.2, 1.0],
        "exponent": [0.0, 1.0, 2.0],
        "held_out": 100,
        "width": 32,
        "dim": 16,
        "streams": 3,
    },
}


def _sketch(width, depth, seed, **form):
    return sl.CountSketch(width, depth, seed=seed, **form)


STORES = {decay: partial(_sketch, decay=decay) for decay in ("lazy", "bucket", "global")} | {
    "shrunken": partial(_sketch, shrink=True),
}


def measure(settings, _=None):
    """Run all stores on one stream and return their errors."""
    source = partial(_gradients, settings["dim"])
    return store_map.errors_on_stream(settings, STORES, source, _octaves, _of_the_step)


def _gradients(dim, means, generator):
    directions = generator.standard_normal((len(means), dim))
    sizes = np.sqrt(means)[:, None]
    return lambda rows: (
        sizes[rows] * (directions[rows] + generator.standard_normal((len(rows), dim)))
    )


def _of_the_step(store, rows, added, keep, gain):
    return store.step(rows, added, keep, gain, squared=False)


def _octaves(answers, truth):
    return np.log2(1 + np.linalg.norm(answers - truth, axis=1) / np.linalg.norm(truth, axis=1))


def present(configuration, summary):
    """Return the winners at every grid point, and where even they are worse than nothing."""
    table = store_map.winners(
        configuration, summary, EXPERIMENT.title, "log2(1 + ‖estimate − exact‖/‖exact‖)"
    )
    hopeless = np.mean([min(point["errors"].values()) >= 1 for point in summary["grid"]])
    return table._replace(
        notes=[*table.notes, f"In {hopeless:.0%} of the grid no store is better than answering 0."]
    )


EXPERIMENT = Experiment(
    name="first-moment-map",
    title="Which count-sketch errs least for first moments, by load, touch rate, decay and "
    "Zipf exponent",
    source="theory §7: no single winner",
    duration={"quick": "20 s", "full": "20 min"},
    sizes=SIZES,
    runs=store_map.runs,
    measure=measure,
    summarise=store_map.summarise,
    present=present,
    cost=store_map.cost,
)
