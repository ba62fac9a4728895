"""How far second moments in cells of two bytes are from the exact ones, in as many bytes.

The language model is trained by exact Adam, every store is fed its squared gradients, with several
draws of the hash functions, and the rows of the last step are read. The truth is the exact variable
of the same decay. In as many bytes a sketch of two-byte numbers has twice the buckets; one of as
many buckets shows what rounding alone costs.
"""

from dataclasses import replace
from itertools import product

import numpy as np

import sketchlab as sl
from analysis.lab.intervals import mean_intervals
from analysis.lab.study import Experiment, Table
from analysis.problems import corpus as text
from analysis.training.exact_run import TABLES, exact_run

SIZES = {
    "full": {"dim": 64, "steps": 300, "draws": 8},
    "quick": {"dim": 16, "steps": 20, "draws": 3},
}
RATE, KEEP, ERROR = 4e-3, 0.999, 0.05
COMPRESSIONS = (5, 20, 100)
FORMS = {
    "lazy": sl.CountMinSketch(),
    "global": sl.CountMinSketch(decay="global"),
    "conservative": sl.CountMinSketch(conservative=True),
}
TWO_BYTES = "bfloat16"
CELLS = ("4 bytes", "2 bytes, as many buckets", "2 bytes, twice the buckets")


def configure(options):
    """Return what the options ask for, and the path of the text."""
    corpus = {"corpus": text.load(options.corpus).summary()}
    return options.sized(SIZES, 2) | corpus, options.corpus


def runs(configuration):
    """Return one run for each table and compression."""
    common = {name: value for name, value in configuration.items() if name != "mode"}
    return [
        {**common, "table": table, "compression": compression}
        for table, compression in product(TABLES, COMPRESSIONS)
    ]


def measure(settings, path):
    """Return the mean error of every form, kind of cells and draw, in octaves."""
    data, hashing = np.random.SeedSequence(settings["seed"]).spawn(2)
    seeds = hashing.generate_state(settings["draws"], "uint64").tolist()
    exact = live = rows = None
    for step in exact_run(text.load(path), sl.Adam, RATE, settings["dim"], settings["steps"], data):
        rows, gradients = step.gradients[settings["table"]]
        if live is None:
            shape = getattr(step.optimizers, settings["table"]).table.shape
            exact = {decay: sl.Dense(decay=decay).allocate(*shape) for decay in ("lazy", "global")}
            live = _stores(settings["compression"], seeds, shape)
        for store in (*exact.values(), *live.values()):
            store.advance(rows, gradients, KEEP, 1 - KEEP, True)
    truth = {decay: store.query(rows) for decay, store in exact.items()}
    errors = {}
    for (form, cells, _), store in live.items():
        error = _octaves(store.query(rows), truth[store.decay])
        errors.setdefault(f"{form}, {cells}", []).append(error)
    return errors


def _stores(compression, seeds, shape):
    """Live stores by form, kind of cells and seed."""
    made = {}
    for (form, store), seed in product(FORMS.items(), seeds):
        four = replace(store, compression=compression, seed=seed)
        width = four.width_for(shape[0])
        kinds = (
            four,
            replace(four, width=width, cells=TWO_BYTES),
            replace(four, cells=TWO_BYTES),
        )
        made |= {(form, cells, seed): kind.allocate(*shape) for cells, kind in zip(CELLS, kinds)}
    return made


def _octaves(answers, truth):
    """The mean of |log₂ v̂/v| over numbers that are not 0."""
    known = truth > 0
    least = np.finfo(np.float32).tiny
    return float(np.abs(np.log2(np.maximum(answers[known], least) / truth[known])).mean())


def summarise(configuration, result_of):
    """Return a row for every run: the mean error of each form and kind of cells, its interval."""
    rows = []
    for cell in runs(configuration):
        kept = {name: cell[name] for name in ("table", "compression")}
        rows.append(kept | {"errors": mean_intervals(result_of(cell), ERROR)})
    return {"rows": rows}


def present(configuration, summary):
    """Return one table: a line for every table, compression and form, a column a kind of cells."""
    lines = [
        (
            row["table"],
            f"{row['compression']}x",
            form,
            *(_text(row["errors"][f"{form}, {cells}"]) for cells in CELLS),
        )
        for row in summary["rows"]
        for form in FORMS
    ]
    note = (
        f"Log-bilinear model, d = {configuration['dim']}, after {configuration['steps']} steps of "
        f"exact Adam, keep = {KEEP}; {configuration['draws']} draws of hash functions, mean and "
        f"{1 - ERROR:.0%} interval of the mean |log2 v̂/v| of the last step's rows, in octaves."
    )
    return Table(EXPERIMENT.title, ("table", "size", "form", *CELLS), lines, [note])


def _text(interval):
    mean, low, high = interval
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def cost(settings):
    """Steps, each of as many stores."""
    return settings["steps"] * settings["draws"]


EXPERIMENT = Experiment(
    name="two-byte-errors",
    title="Errors of second moments in cells of two bytes",
    source="rounding at random after Gupta et al. 2015",
    sizes=SIZES,
    duration={"quick": "1 min", "full": "10 min"},
    configure=configure,
    runs=runs,
    measure=measure,
    summarise=summarise,
    present=present,
    cost=cost,
)
