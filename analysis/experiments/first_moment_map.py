"""Which count-sketch errs least for a signed first moment: a map as `store_map`'s of second ones.

Same streams, but that a touched row adds √(i^(−a))·(1 + z), z standard normal: direction and noise
alike. (The directions may all be positive, as the sketch draws signs.) A store's error is the mean
of log₂(1 + |m̂ − m|/|m|), where m is the exact variable that decays as the store does: one octave
where it is off by as much as the value is large, which is what answering 0 costs.
"""

from functools import partial

import numpy as np

import sketchlab as sl
from analysis.experiments import store_map
from analysis.lab.study import Experiment


def _sketch(width, depth, seed, **form):
    return sl.CountSketch(width, depth, seed=seed, **form)


STORES = {decay: partial(_sketch, decay=decay) for decay in ("lazy", "bucket", "global")}


def measure(settings, _=None):
    """Run all stores on one stream and return their errors."""
    return store_map.errors_on_stream(settings, STORES, _gradients, _octaves)


def _gradients(squares, generator):
    return np.sqrt(squares) * (1 + generator.standard_normal(len(squares)))


def _octaves(answers, truth):
    return np.log2(1 + np.abs(answers / truth - 1))


def present(configuration, summary):
    """Return the winners at every grid point, and where even they are worse than nothing."""
    table = store_map.winners(
        configuration, summary, EXPERIMENT.title, "log2(1 + |estimate/exact - 1|)"
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
    sizes=store_map.SIZES,
    runs=store_map.runs,
    measure=measure,
    summarise=store_map.summarise,
    present=present,
    cost=store_map.cost,
)
