"""Results for the figures to draw: those stored in the repository, and small runs of the rest.

Small runs go through the claims and experiments themselves, so that a figure and what it draws
cannot drift apart unseen.
"""

import shutil
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path

from analysis.checks import CLAIMS
from analysis.experiment import Options
from analysis.experiments import EXPERIMENTS
from analysis.runner import run

STORED = Path(__file__).resolve().parents[2] / "results"

_MAP = {
    "load": [2, 6],
    "keep": [0.5, 0.9],
    "touched": [0.2, 1.0],
    "exponent": [0.0, 1.0, 2.0],
    "held_out": 4,
    "width": 4,
}

#: What makes the quick configuration of an experiment quicker; all of these are run here.
SMALL = {
    "store-map": _MAP,
    "approximation-error": {"dim": 4, "steps": 8, "points": 4, "draws": 2},
    "power-law-curves": {"dim": 4, "steps": 12, "replicates": 2},
}

#: What makes the tiny size of a claim smaller still: figures need shapes, not statistics.
SMALLER = {
    "sgd-rate": {"draws": 2, "columns": 4, "horizons": [8, 32]},
    "adagrad-regret": {"draws": 2, "horizons": [10, 40]},
    "theorem-4-1": {"draws": 3},
    "noise-free-floor": {"horizons": [10, 20], "draws": 2},
    "graceful-width": {"groups": 2, "draws": 5},
    "depth": {"draws": 50},
}


class Here(Executor):
    """Runs everything at once, in this thread."""

    def submit(self, function, *arguments):
        """Return a future that is done."""
        future = Future()
        future.set_result(function(*arguments))
        return future


def make(name, folder, corpus_file):
    """Put a finished study of one claim or experiment into a folder."""
    if name in CLAIMS:
        sizes = {"quick": CLAIMS[name].sizes["tiny"] | SMALLER.get(name, {})}
        experiment = replace(CLAIMS[name], sizes=sizes).experiment()
    elif name in SMALL:
        experiment = EXPERIMENTS[name]
    else:
        shutil.copy(STORED / f"{name}.json", folder)
        return
    configuration, inputs = experiment.configure(Options(quick=True, corpus=str(corpus_file)))
    configuration |= SMALL.get(name, {})
    run(experiment, configuration, inputs, folder, Here(), progress=False)
