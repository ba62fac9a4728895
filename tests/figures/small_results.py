"""Results for the figures to draw: stored ones, small runs, and, where runs train, made-up ones.

All but the stored ones go through the claims and experiments themselves, so that a figure and what
it draws cannot drift apart unseen. Comparisons of optimizers get made-up scores, as no run of
theirs is quick enough.
"""

import json
import shutil
import zlib
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path

from analysis.checks import CLAIMS
from analysis.experiments import EXPERIMENTS
from analysis.lab.runner import run
from analysis.lab.study import Options

STORED = Path(__file__).resolve().parents[2] / "results"

_MAP = {
    "load": [2, 6],
    "keep": [0.5, 0.9],
    "touched": [0.2, 1.0],
    "exponent": [0.0, 1.0, 2.0],
    "held_out": 4,
    "width": 4,
    "streams": 2,
}

#: What makes the quick configuration of an experiment quicker; all of these are run here.
SMALL = {
    "store-map": _MAP,
    "first-moment-map": _MAP | {"dim": 4},
    "approximation-error": {"dim": 4, "steps": 8, "points": 4, "draws": 2},
    "power-law-curves": {"dim": 4, "steps": 12, "replicates": 2},
}

#: What makes the tiny size of a claim smaller still: figures need shapes, not statistics.
SMALLER = {
    "sgd-rate": {"draws": 2, "columns": 4, "horizons": [8, 32]},
    "adagrad-regret": {"draws": 2, "horizons": [10, 40]},
    "theorem-4-1": {"draws": 2, "linear": 20, "rows": [1, 4], "widths": [1, 100]},
    "theorem-any-stream": {"horizons": {"no noise": [10], "noise": [10]}},
    "theorem-conservative": {"horizons": {"no noise": [10], "noise": [10]}},
    "huber-worst-case": {"linear": 5, "times": 2},
    "colliding-bursts": {"steps": 40},
    "noise-free-floor": {"horizons": [10, 20], "draws": 2},
    "graceful-width": {"groups": 2, "draws": 5},
    "depth": {"draws": 50},
}


def made_up(settings, _):
    """A result with all that the comparisons record, different for different settings."""
    number = zlib.crc32(json.dumps(settings, sort_keys=True).encode()) % 1000 / 1000
    compressions = [store.get("compression") or 1 for store in settings["stores"].values()]
    return {
        "score": 0.1 + 0.8 * number,
        "diverged": False,
        "state_bytes": round(sum(1e6 / compression for compression in compressions)),
        "curve": {"epoch": [0.5, 1.0], "loss": [5.0, 4.0], "perplexity": [200 + number, 90.0]},
        "accuracies": [0.3, 0.5 + number / 3],
        "errors": [0.2, 0.1 + number],
        "bias": number,
        **{f"{of}_bytes": 1e9 * number for of in ("parameter", "base", "peak", "peak_after_zipf")},
        "epoch_seconds": {str(batch): 1 + number for batch in settings.get("batches", ())},
        "bytes": {"fixed": 1e8, "each_name": 1e4},
        "recalls": {"1": number / 4, "10": number / 3, "100": number / 2},
    }


def made_up_times(settings, _):
    """Times of a cell of the speed experiment: a fixed cost, and one for every number."""
    entries = [
        {"contender": name, "n": n, "dim": dim, "k": k, "of_copy": 0.3, "of_previous": 4.0}
        | {"of": {"torch": 0.5}, "quartiles_ms": [factor * ms for factor in (0.9, 1.0, 1.2)]}
        for n, dim, k in settings["shapes"]
        for place, name in enumerate(settings["contenders"])
        for ms in [(1 + place) * (0.1 + 1e-6 * dim * (n if k is None else k))]
    ]
    distinct = {"distinct": [0.2]} if settings["kind"] == "sums" else {}
    return {"copy_gb_per_s": 25.0, "entries": entries, **distinct}


#: Experiments whose cells are not run, and what stands for them.
MADE_UP = dict.fromkeys(
    (
        "batch-time",
        "cleaning",
        "dense-layers",
        "gap-against-steps",
        "gap-against-what",
        "memory",
        "pairings",
        "wikitext-lstm",
    ),
    made_up,
) | {"speed": made_up_times}


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
    elif name in MADE_UP:
        experiment = replace(EXPERIMENTS[name], measure=MADE_UP[name])
    else:
        shutil.copy(STORED / f"{name}.json", folder)
        return
    configuration, inputs = experiment.configure(Options(quick=True, corpus=str(corpus_file)))
    configuration |= SMALL.get(name, {})
    run(experiment, configuration, inputs, folder, Here(), progress=False)
