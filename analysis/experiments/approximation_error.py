"""How far each store is from the exact variable, along one stream of gradients.

The language model is trained by an exact optimizer; every store is fed the same gradients, has the
same number of parameters as a rank-one factorisation (rows + columns) and is compared with the
exact variable of its own decay: ``lazy`` (touched rows decay) or ``global`` (all rows do). Beside
them are sketches of a fifth of the table, the size that the paper trains with: so small a sketch
as a factorisation must err by about √(rows / buckets) times the norm over a whole table.

Non-negative factorisation (NMF: row sums · column sums / total) is not made for the signed
momentum. Spring et al. (2019) applied it all the same: ``NMF of signed sums`` is that, and where
positive and negative entries cancel, the division by the total makes it erratic. ``NMF, signs
apart`` is the sound form: one factorisation of the positive gradients, one of the negative ones,
whose difference is the momentum; it needs twice the parameters.
"""

from typing import NamedTuple

import numpy as np

import sketchlab as sl
from analysis.errors import UsageError
from analysis.experiment import Experiment, Table, total
from analysis.problems import corpus as text
from analysis.training.exact_run import TABLES, exact_run
from sketchlab.rules import added

DEPTH, COMPRESSION = 3, 5
FULL = {"dim": 32, "steps": 150, "points": 15, "draws": 3}
QUICK = {"dim": 32, "steps": 20, "points": 5, "draws": 3}


class Stream(NamedTuple):
    """An exact optimizer, its learning rate, and which of its moments is approximated."""

    optimizer: type
    rate: float
    moment: str


STREAMS = {
    "Momentum's M": Stream(sl.Momentum, 2.0, "m"),
    "Adam's V": Stream(sl.Adam, 4e-3, "v"),
}


class SignsApart:
    """Two rank-one stores: of the positive and of the negative values that are added.

    Under ``global`` decay, which is linear, their difference is the rank-one store of the signed
    variable. It answers what `sketchlab` stores do.
    """

    decay = "global"

    def __init__(self, n, dim):
        self.parts = [sl.Rank1(self.decay).allocate(n, dim) for _ in range(2)]

    def advance(self, rows, added, keep, gain):
        for sign, part in zip((1, -1), self.parts):
            part.advance(rows, np.maximum(sign * added, 0), keep, gain)

    def estimate(self, rows):
        positive, negative = (part.estimate(rows) for part in self.parts)
        return positive - negative

    @property
    def nbytes(self):
        return sum(part.nbytes for part in self.parts)


def approximations(moment, n, dim, seeds):
    """Live stores of one moment, by name: one for each seed where hashes are drawn.

    Parameters
    ----------
    moment : {"m", "v"}
    n, dim : int
        Shape of the variable.
    seeds : list of int

    Returns
    -------
    dict of str to list of live stores
    """
    widths = {"": max(1, (n + dim) // (DEPTH * dim)), f", {COMPRESSION}x": None}
    sketch, kind = _SKETCHES[moment]
    forms = {decay: {"decay": decay} for decay in ("lazy", "global")}
    if moment == "v":
        forms["conservative"] = {"conservative": True}
    stores = {
        f"{kind}, {form}{size}": [
            sketch(width, DEPTH, COMPRESSION, seed=seed, **forms[form]).allocate(n, dim)
            for seed in seeds
        ]
        for size, width in widths.items()
        for form in forms
    }
    nmf = "NMF of signed sums" if moment == "m" else "NMF"
    for decay in ("lazy", "global"):
        stores[f"{nmf}, {decay}"] = [sl.Rank1(decay).allocate(n, dim)]
    if moment == "m":
        stores["NMF, signs apart"] = [SignsApart(n, dim)]
    stores["ℓ2 rank-1, lazy"] = [sl.Rank1SVD("lazy").allocate(n, dim)]
    return stores


_SKETCHES = {"m": (sl.CountSketch, "count-sketch"), "v": (sl.CountMinSketch, "count-min")}


class Watch:
    """The exact variable under both decays, approximations of it, and how far off they were.

    Parameters
    ----------
    stores : dict of str to list of live stores
    n, dim : int
    keep, gain : float
        Of the recursion x ← keep·x + gain·u.
    """

    def __init__(self, stores, n, dim, keep, gain):
        self.stores, self.recursion = stores, (keep, gain)
        self.exact = {decay: sl.Dense(decay).allocate(n, dim) for decay in ("lazy", "global")}
        self.everyone = np.arange(n)
        self.norms = {decay: [] for decay in self.exact}
        self.distances = {name: [[] for _ in kept] for name, kept in stores.items()}
        self.active = {name: [[] for _ in kept] for name, kept in stores.items()}

    def advance(self, rows, values):
        """Feed a step to all of them."""
        for kept in (self.exact.values(), *self.stores.values()):
            for store in kept:
                store.advance(rows, values, *self.recursion)

    def record(self, rows):
        """Note ‖x‖₂, ‖x̂ − x‖₂ and, among the active rows only, their ratio."""
        truths = {decay: store.estimate(self.everyone) for decay, store in self.exact.items()}
        for decay, truth in truths.items():
            self.norms[decay].append(_norm(truth))
        for name, kept in self.stores.items():
            for number, store in enumerate(kept):
                truth = truths[store.decay]
                error = store.estimate(self.everyone) - truth
                self.distances[name][number].append(_norm(error))
                self.active[name][number].append(_norm(error[rows]) / _norm(truth[rows]))


def _norm(values):
    return float(np.linalg.norm(values.astype(np.float64)))


def configure(options):
    """Return what the options ask for, and the path of the text."""
    size = dict(QUICK if options.quick else FULL)
    if options.steps is not None:
        if options.steps < 1:
            raise UsageError(f"--steps {options.steps}: give at least 1")
        size["steps"] = options.steps
    configuration = {
        **size,
        "mode": "quick" if options.quick else "full",
        "seed": options.seed,
        "corpus": text.load(options.corpus).summary(),
    }
    return configuration, options.corpus


def stages(configuration, _):
    """Yield one cell for each variable and table."""
    yield _cells(configuration)


def _cells(configuration):
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
        watch.advance(rows, added(stream.moment == "v", gradients))
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
    for cell in _cells(configuration):
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


def workload(configuration):
    """Return the steps of all cells, and their number."""
    return total(cost, _cells(configuration))


EXPERIMENT = Experiment(
    name="approximation-error",
    title="Distance of each approximation to the exact variable at equal parameter counts",
    source="Spring et al. 2019, Figure 2, on another text and a smaller model",
    duration={"quick": "30 s", "full": "2 min"},
    configure=configure,
    stages=stages,
    measure=measure,
    summarise=summarise,
    present=present,
    cost=cost,
    workload=workload,
)
