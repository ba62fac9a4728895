"""Which form of shrinking errs least: mean or median, two ways to measure, and the second moment.

The language model is trained by exact Adam. After the last step the exact moments of all rows, with
global decay, are put into a sketch, many times with other hash functions, and the rows of the next
gradient are read. A sketch is linear, so this is what it would hold had it been fed step by step.

First moments: the raw median and mean of the readings, both shrunken by the factor of theory §9,
and the median shrunken by one in which the median over pairs of readings takes the place of their
mean, which a heavy neighbour in two of them would disturb.

Second moments, by the same idea: each reading less what the others put into a bucket on average is
unbiased (Deng & Rafiei 2007); the median of these is drawn towards the mean row as far as they
differ. Beside it: the minimum, as it is and conservative, and bucket means. Judged by the update
g/√v̂, in which the step's own g², known exactly, is a part of v̂.
"""

from itertools import combinations

import numpy as np

import sketchlab as sl
from analysis.lab.intervals import mean_intervals
from analysis.lab.study import Experiment, Table
from analysis.problems import corpus as text
from analysis.training.exact_run import TABLES, exact_run
from sketchlab.stores.shrinkage import median_variance

SIZES = {
    "full": {"dim": 128, "steps": 200, "draws": 16},
    "quick": {"dim": 32, "steps": 20, "draws": 4},
}
RATE = 4e-3
COMPRESSIONS, DEPTHS = (5, 20, 100), (2, 3, 5)
ERROR = 0.05


def configure(options):
    """Return what the options ask for, and the path of the text."""
    corpus = {"corpus": text.load(options.corpus).summary()}
    return options.sized(SIZES, 2) | corpus, options.corpus


def runs(configuration):
    """Return one run for each moment, table, compression and depth."""
    common = {name: value for name, value in configuration.items() if name != "mode"}
    return [
        {**common, "moment": moment, "table": table, "compression": compression, "depth": depth}
        for moment in FORMS
        for table in TABLES
        for compression in COMPRESSIONS
        for depth in DEPTHS
    ]


def measure(settings, path):
    """Return, for each form, the errors of all draws of the hash functions."""
    data, hashing = np.random.SeedSequence(settings["seed"]).spawn(2)
    seeds = hashing.generate_state(settings["draws"], "uint64").tolist()
    *past, last = _stream(settings, path, data)
    errors = [_FUNCTIONS[settings["moment"]](settings, past, last, seed) for seed in seeds]
    return {name: [float(each[name]) for each in errors] for name in errors[0]}


def _stream(settings, path, sequence):
    """Rows, gradients and shape of a table in every step."""
    corpus, table = text.load(path), settings["table"]
    steps = exact_run(corpus, sl.Adam, RATE, settings["dim"], settings["steps"], sequence)
    for step in steps:
        yield *step.gradients[table], getattr(step.optimizers, table).table.shape


def _moment(past, shape, keep, squared):
    """The exact moment of all rows before the last step, that step's decay included."""
    store = sl.Dense(decay="global").allocate(*shape)
    for rows, gradients, _ in past:
        store.advance(rows, gradients**2 if squared else gradients, keep, 1 - keep)
    return keep * store.table


def _readings(store, rows):
    """What each hash function says of some rows, float64 (depth, k, dim)."""
    at = np.arange(len(store.table))[:, None], store.buckets(rows)
    return store.table[at].astype(np.float64)


# -- first moments -----------------------------------------------------------------------------


def _first(settings, past, last, seed):
    rows, _, shape = last
    moment = _moment(past, shape, 0.9, squared=False)
    sketch = sl.CountSketch(
        compression=settings["compression"], depth=settings["depth"], decay="global", seed=seed
    ).allocate(*shape)
    sketch.update(np.arange(shape[0]), moment)
    readings = _readings(sketch, rows) * sketch.signs(rows)[..., None]
    truth = moment[rows].astype(np.float64)
    return {
        name: np.square(answer - truth).sum() / np.square(truth).sum()
        for name, answer in first_answers(readings).items()
    }


def first_answers(readings):
    """Every form's answer, (k, dim), from readings (depth, k, dim)."""
    depth = len(readings)
    mean, median = readings.mean(axis=0), np.median(readings, axis=0)
    auto, pairs = _products(readings)
    by_mean, by_median = pairs.mean(axis=0), np.median(pairs, axis=0)
    return {
        "median": median,
        "mean": mean,
        "shrunken median": _kept(by_mean, auto, median_variance(depth)) * median,
        "shrunken mean": _kept(by_mean, auto, 1 / depth) * mean,
        "shrunken median, median over pairs": _kept(by_median, auto, median_variance(depth))
        * median,
    }


def _products(readings):
    """The mean of ‖e_a‖², (k,), and ⟨e_a, e_b⟩ of every pair, (pairs, k)."""
    auto = np.square(readings).sum(axis=-1).mean(axis=0)
    return auto, np.array([(a * b).sum(axis=-1) for a, b in combinations(readings, 2)])


def _kept(cross, auto, variance):
    """The measured factor, (k, 1)."""
    cross = np.maximum(cross, 0)
    whole = cross + variance * np.maximum(auto - cross, 0)
    return np.divide(cross, whole, out=np.zeros_like(cross), where=whole > 0)[:, None]


# -- second moments ----------------------------------------------------------------------------


def _second(settings, past, last, seed):
    rows, gradients, shape = last
    keep, form = 0.999, {"compression": settings["compression"], "seed": seed}
    moment = _moment(past, shape, keep, squared=True)
    sketch, means = (
        store.allocate(*shape)
        for store in (
            sl.CountMinSketch(depth=settings["depth"], decay="global", **form),
            sl.BucketMean(depth=settings["depth"], **form),
        )
    )
    for store in (sketch, means):
        store.update(np.arange(shape[0]), moment)
    conservative = sl.CountMinSketch(depth=settings["depth"], conservative=True, **form)
    conservative = conservative.allocate(*shape)
    for past_rows, past_gradients, _ in past:
        conservative.advance(past_rows, past_gradients**2, keep, 1 - keep)
    answers = second_answers(_readings(sketch, rows), moment, sketch.width)
    answers |= {
        "conservative": keep * conservative.query(rows),
        "bucket mean": means.query(rows),
    }
    own = (1 - keep) * gradients.astype(np.float64) ** 2
    wanted = _update(gradients, moment[rows] + own)
    return {
        name: np.linalg.norm(_update(gradients, answer + own) - wanted) / np.linalg.norm(wanted)
        for name, answer in answers.items()
    }


def _update(gradients, second):
    root = np.sqrt(second)
    return np.divide(gradients, root, out=np.zeros_like(root), where=root > 0)


def second_answers(readings, moment, width):
    """Answers from readings (depth, k, dim), of a moment (n, dim) whose column sums are known."""
    total = moment.sum(axis=0, dtype=np.float64)
    prior, least = total / len(moment), readings.min(axis=0)
    unbiased = readings - (total - readings) / max(1, width - 1)
    median = np.median(unbiased, axis=0)
    auto, pairs = _products(unbiased - prior)
    kept = _kept(pairs.mean(axis=0), auto, median_variance(len(readings)))
    return {
        "minimum": least,
        "unbiased median": np.clip(median, 0, least),
        "shrunken median": np.clip(prior + kept * (median - prior), 0, least),
    }


_FUNCTIONS = {"m": _first, "v": _second}
FORMS = {
    "m": (
        "median",
        "mean",
        "shrunken median",
        "shrunken mean",
        "shrunken median, median over pairs",
    ),
    "v": ("minimum", "conservative", "bucket mean", "unbiased median", "shrunken median"),
}


# -- what it says ------------------------------------------------------------------------------


def summarise(configuration, result_of):
    """Return a row for every run: the mean error of each form, with an interval."""
    rows = []
    for cell in runs(configuration):
        kept = {name: cell[name] for name in ("moment", "table", "compression", "depth")}
        rows.append(kept | {"forms": mean_intervals(result_of(cell), ERROR)})
    return {"rows": rows}


def present(configuration, summary):
    """Return one table: a line for every moment, table, compression and form, a column a depth."""
    found = {
        (row["moment"], row["table"], row["compression"], row["depth"]): row["forms"]
        for row in summary["rows"]
    }
    lines = [
        (
            moment,
            table,
            f"{times}x",
            form,
            *(_text(found[moment, table, times, depth][form]) for depth in DEPTHS),
        )
        for moment, forms in FORMS.items()
        for table in TABLES
        for times in COMPRESSIONS
        for form in forms
    ]
    return Table(
        EXPERIMENT.title,
        ("moment", "table", "size", "form", *(f"depth {depth}" for depth in DEPTHS)),
        lines,
        [
            f"Log-bilinear model, d = {configuration['dim']}, after {configuration['steps']} steps "
            f"of exact Adam; {configuration['draws']} draws of hash functions, mean and "
            f"{1 - ERROR:.0%} interval. Rows of the next gradient.",
            "m: Σ‖m̂ − m‖² over Σ‖m‖², of the past gradients; 0 in its place errs by 1. v: "
            "‖û − u‖ over ‖u‖ of the updates g/√v̂; conservative sketches were fed step by step.",
        ],
    )


def _text(interval):
    mean, low, high = interval
    return f"{mean:.3g} ({low:.3g} to {high:.3g})"


def cost(settings):
    """Steps of the stream, and draws at the end of it."""
    draw = 30 if settings["moment"] == "m" else 30 + settings["steps"] / 5
    return settings["steps"] + settings["draws"] * draw


EXPERIMENT = Experiment(
    name="shrinkage-forms",
    title="Forms of a shrunken answer: mean and median, pairs, and the second moment",
    source="theory §9; second moments after Deng & Rafiei 2007",
    sizes=SIZES,
    duration={"quick": "1 min", "full": "10 min"},
    configure=configure,
    runs=runs,
    measure=measure,
    summarise=summarise,
    present=present,
    cost=cost,
)
