"""How far each store is from the exact variable, along one stream of gradients.

The language model is trained by an exact optimizer; every store is fed the same gradients, has the
same number of parameters as a rank-one factorisation (rows + columns) and is compared with the
exact variable of its own decay: ``lazy`` (touched rows decay) or ``global`` (all rows do). Beside
them are sketches of a fifth of the table, the size that the paper trains with: so small a sketch
as a factorisation must err by about √(rows / buckets) times the norm over a whole table.
"""

from typing import NamedTuple

import numpy as np

import sketchlab as sl
from analysis.lab.study import Experiment, Table
from analysis.problems import corpus as text
from analysis.training.approximations import COMPRESSION, DEPTH, Watch, approximations
from analysis.training.exact_run import TABLES, exact_run

SIZES = {
    "full": {"dim": 32, "steps": 150, "points": 12, "draws": 3},
    "quick": {"dim": 32, "steps": 20, "points": 5, "draws": 3},
}


class Stream(NamedTuple):
    """An exact optimizer, its learning rate, and which of its moments is approximated."""

    optimizer: type
    rate: float
    moment: str


STREAMS = {
    "Momentum's M": Stream(sl.Momentum, 2.0, "m"),
    "Adam's V": Stream(sl.Adam, 4e-3, "v"),
}


def configure(options):
    """Return what the options ask for, and the path of the text."""
    corpus = {"corpus": text.load(options.corpus).summary()}
    return options.sized(SIZES) | corpus, options.corpus


def runs(configuration):
    """Return one run for each variable and table."""
    common = {name: value for name, value in configuration.items() if name != "mode"}
    return [
        {**common, "variable": variable, "table": table} for variable in STREAMS for table in TABLES
    ]


def measure(settings, path):
    """Feed one stream to all stores; distances, norms and relative errors along the way."""
    data, hashing = np.random.SeedSequence(settings["seed"]).spawn(2)
    seeds = hashing.generate_state(settings["draws"]).tolist()
    stream, steps = STREAMS[settings["variable"]], settings["steps"]
    at = sorted(set(np.linspace(1, steps, settings["points"]).round().astype(int).tolist()))
    watch = None
    corpus = text.load(path)
    for step in exact_run(corpus, stream.optimizer, stream.rate, settings["dim"], steps, data):
        rows, gradients = step.gradients[settings["table"]]
        if watch is None:
            optimizer = getattr(step.optimizers, settings["table"])
            watch = _watch(optimizer, stream.moment, seeds)
        watch.advance(rows, gradients**2 if stream.moment == "v" else gradients)
        if step.number in at:
            watch.record(rows)
    return _plain(watch, at)


def _watch(optimizer, name, seeds):
    """Watch one moment of an optimizer."""
    shape = optimizer.table.shape
    names = [moment.name for moment in optimizer.rule.moments]
    recursion = optimizer.rule.recursions()[names.index(name)]
    return Watch(approximations(name, *shape, seeds), *shape, *recursion)


def _plain(watch, at):
    """What was recorded as JSON; a distance that is not finite is None."""
    return {
        "steps": at,
        "norms": {decay: _rounded(norms) for decay, norms in watch.norms.items()},
        "stores": {
            name: {
                "decay": kept[0].decay,
                "numbers": kept[0].nbytes // 4,
                "distances": [_rounded(series) for series in watch.distances[name]],
                "active": _rounded([np.median(series) for series in watch.active[name]]),
            }
            for name, kept in watch.stores.items()
        },
    }


def _rounded(values):
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]


def summarise(configuration, result_of):
    """Return, for every variable, table and store, its relative distance over the second half."""
    rows = []
    for cell in runs(configuration):
        result = result_of(cell)
        for name, store in result["stores"].items():
            rows.append(
                {
                    "variable": cell["variable"],
                    "table": cell["table"],
                    "store": name,
                    "decay": store["decay"],
                    "numbers": store["numbers"],
                    **_figures(store, result["norms"][store["decay"]]),
                }
            )
    return {"rows": rows}


def _figures(store, norms):
    """Medians over the second half of the run, by draw, and how far the distance jumps."""
    relative = np.array(store["distances"], float) / np.array(norms, float)
    late = np.where(np.isfinite(relative), relative, np.inf)[:, relative.shape[1] // 2 :]
    medians = np.median(late, axis=1)
    return {
        "relative": _rounded(medians),
        "largest": _rounded(late.max(axis=1)),
        "active": store["active"],
    }


def present(configuration, summary):
    """Return the table of relative distances."""
    notes = [
        f"One run of {configuration['steps']:,} steps with each exact optimizer; "
        f"{configuration['corpus']['name']}, vocabulary "
        f"{configuration['corpus']['vocabulary']:,}, d = {configuration['dim']}; sketches of depth "
        f"{DEPTH}, {configuration['draws']} draws of hashes (lowest to highest of them), as large "
        f"as a rank-one store or {COMPRESSION} times smaller than the table ({COMPRESSION}x).",
        "Distance to the exact variable of the same decay over the norm of that variable, whole "
        "table: median and largest of the run's second half; among active rows: median of the run.",
    ]
    return Table(
        EXPERIMENT.title,
        ("variable", "table", "store", "numbers", "relative distance", "largest", "active rows"),
        [
            (
                row["variable"],
                row["table"],
                row["store"],
                f"{row['numbers']:,}",
                *(_range(row[kind]) for kind in ("relative", "largest", "active")),
            )
            for row in summary["rows"]
        ],
        notes,
    )


def _range(values):
    if None in values:
        return "not finite"
    low, high = (f"{value:.3g}" for value in (min(values), max(values)))
    return low if low == high else f"{low}–{high}"


def cost(settings):
    """Steps of the stream."""
    return settings["steps"]


EXPERIMENT = Experiment(
    name="approximation-error",
    title="Distance of each approximation to the exact variable at equal parameter counts",
    source="Spring et al. 2019, Figure 2, on another text and a smaller model",
    duration={"quick": "30 s", "full": "2 min"},
    configure=configure,
    runs=runs,
    measure=measure,
    summarise=summarise,
    present=present,
    cost=cost,
)
