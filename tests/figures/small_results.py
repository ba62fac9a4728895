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
from analysis.experiments import store_map
from analysis.runner import run

STORED = Path(__file__).resolve().parents[2] / "results"

#: Experiments that are run here, with the configuration that makes them quick enough.
SMALL = {
    "store-map": (
        store_map.EXPERIMENT,
        {
            "mode": "quick",
            "seed": 0,
            "load": [2, 6],
            "keep": [0.5, 0.9],
            "touched": [0.2, 1.0],
            "exponent": [0.0, 1.0, 2.0],
            "held_out": 4,
            "width": 4,
        },
    ),
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
        sizes = {"quick": CLAIMS[name].sizes["tiny"]}
        experiment = replace(CLAIMS[name], sizes=sizes).experiment()
        configuration, inputs = experiment.configure(Options(quick=True, corpus=str(corpus_file)))
    elif name in SMALL:
        (experiment, configuration), inputs = SMALL[name], None
    else:
        shutil.copy(STORED / f"{name}.json", folder)
        return
    run(experiment, configuration, inputs, folder, Here(), progress=False)
