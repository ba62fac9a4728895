"""Which count-min store errs least: a map over load, decay, touch rate and Zipf exponent.

A stream touches every row with the same chance p; the squares that it adds to row i have the mean
i^(−a) and the spread of a squared normal. A store's error is the mean of |log₂(x̂/x)| over the
rows of the last steps, where x is the exact variable that decays as the store does: every row
under `global`, touched rows under `lazy` (and `bucket`, which has no exact counterpart).

Every place of the map is measured on several streams, with hashes of their own: between two of
them an error differs by about as much as a choice may lose (`GOOD`). The map is of their means, and
the deviations of a mean, of an error and of the lead of the best store, are given beside it.
"""

import itertools
from functools import partial

import numpy as np
from scipy import stats

import sketchlab as sl
from analysis.checks.draws import allocate, hash_seed
from analysis.lab.study import Experiment, Table
from analysis.theory.prediction import AXES, StoreMap


def _sketch(width, depth, seed, **form):
    return sl.CountMinSketch(width, depth, seed=seed, **form)


STORES = {decay: partial(_sketch, decay=decay) for decay in ("lazy", "bucket", "global")} | {
    "conservative": partial(_sketch, conservative=True)
}
SIZES = {
    "quick": {
        "load": [2, 6, 20, 60, 128],
        "keep": [0.9, 0.97, 0.99],
        "touched": [0.05, 0.2, 1.0],
        "exponent": [0.0, 1.0, 2.0],
        "held_out": 60,
        "width": 24,
        "streams": 2,
    },
    "full": {
        "load": [2, 8, 24, 80, 256],
        "keep": [0.9, 0.97, 0.99, 0.997],
        "touched": [0.01, 0.05, 0.2, 1.0],
        "exponent": [0.0, 0.5, 1.0, 2.0],
        "held_out": 200,
        "width": 32,
        "streams": 2,
    },
}
DEPTH = 3
# No answer is further off than this many octaves; a diverged or negative one is.
WORST = 20.0
# A choice within this of the best one's error is as good.
GOOD = 0.25


def runs(configuration):
    """Return all streams of the grid and, from the same box but off the grid, the held-out ones."""
    places = [*_grid(configuration), *_held_out(configuration)]
    return [cell for place in places for cell in _streams(configuration, place)]


def _grid(configuration):
    places = itertools.product(*(configuration[axis] for axis in AXES))
    return [_place(configuration, number, *place) for number, place in enumerate(places)]


def _held_out(configuration):
    generator = np.random.default_rng([configuration["seed"], 1])
    places = []
    for number in range(configuration["held_out"]):
        lows, highs = zip(*((min(configuration[axis]), max(configuration[axis])) for axis in AXES))
        share = generator.random(4)
        load = round(lows[0] * (highs[0] / lows[0]) ** share[0])
        keep = 1 - (1 - lows[1]) * ((1 - highs[1]) / (1 - lows[1])) ** share[1]
        touched = lows[2] * (highs[2] / lows[2]) ** share[2]
        place = (float(at.round(6)) for at in (keep, touched, highs[3] * share[3]))
        places.append(_place(configuration, -1 - number, load, *place))
    return places


def _place(configuration, number, load, keep, touched, exponent):
    return {
        "load": load,
        "keep": keep,
        "touched": touched,
        "exponent": exponent,
        "held_out": number < 0,
        "number": abs(number),
    } | {name: configuration[name] for name in ("width", "dim") if name in configuration}


def _streams(configuration, place):
    """Settings of the runs at one place: seeds that follow one another."""
    first = configuration["seed"]
    return [place | {"seed": seed} for seed in range(first, first + configuration["streams"])]


def measure(settings, _=None):
    """Run all stores on one stream and return their errors."""
    return errors_on_stream(settings, STORES, _squares, _octaves)


def _squares(means, generator):
    """What a step adds to the rows that it touches: squares of normal numbers, one column."""
    return lambda rows: (means[rows] * generator.standard_normal(len(rows)) ** 2)[:, None]


def _octaves(answers, truth):
    return np.abs(np.log2(np.maximum(answers, 0) / truth))


def _read_after(store, rows, added, keep, gain):
    store.advance(rows, added, keep, gain)
    return store.query(rows)


def errors_on_stream(settings, stores, source, error, answer=_read_after):
    """Mean errors of some stores on one stream.

    Parameters
    ----------
    settings : dict
    stores : dict of str to callable
        ``stores[name](width, depth, seed)`` gives a description.
    source : callable
        ``source(means, generator)``, of the rows' mean squares, gives a function from the rows of a
        step to what it adds, (k, dim).
    error : callable
        ``error(answers, truth)`` in octaves; it may be anything where a store has diverged.
    answer : callable, optional
        ``answer(store, rows, added, keep, gain)`` takes a step and returns its answers, (k, dim);
        by default what is read after the step.

    Returns
    -------
    dict of str to float
    """
    key = (int(settings["held_out"]), settings["number"])
    data, hashing = np.random.SeedSequence(settings["seed"], spawn_key=key).spawn(2)
    generator = np.random.default_rng(data)
    n, keep = settings["load"] * settings["width"], settings["keep"]
    means = generator.permutation(np.arange(1, n + 1) ** -settings["exponent"])
    draw = source(means, generator)
    dim = draw(np.arange(0)).shape[1]
    live = {
        name: allocate(describe(settings["width"], DEPTH, hash_seed(hashing)), n, dim)
        for name, describe in stores.items()
    }
    exact = {form: allocate(sl.Dense(*form), n, dim) for form in {*map(_form, live.values())}}
    steps, errors = round(4 / (1 - keep)), {name: [] for name in live}
    for step in range(steps):
        rows = np.flatnonzero(generator.random(n) < settings["touched"])
        added = draw(rows)
        with np.errstate(all="ignore"):  # an unstable store overflows, and is reported as worst
            for store in exact.values():
                store.advance(rows, added, keep, 1 - keep)
            for name, store in live.items():
                if step < steps - 5 or not len(rows):
                    store.advance(rows, added, keep, 1 - keep)
                    continue
                answers = answer(store, rows, added, keep, 1 - keep)
                off = error(answers, exact[_form(store)].query(rows))
                errors[name].append(np.mean(np.where(off <= WORST, off, WORST)))
    return {name: float(np.mean(found)) if found else 0.0 for name, found in errors.items()}


def _form(store):
    """Decay and row weights of the exact variable that forgets as a store does."""
    return "global" if store.decay == "global" else "lazy", store.weights is not None


def summarise(configuration, result_of):
    """Fit the map to the grid; try it on the held-out streams."""
    grid = [_point(configuration, place, result_of) for place in _grid(configuration)]
    held_out = [_point(configuration, place, result_of) for place in _held_out(configuration)]
    fitted, losses = StoreMap(grid), []
    fixed = {name: [] for name in fitted.stores}
    for point in held_out:
        errors = point["errors"]
        point["predicted"] = fitted.best(*(point[axis] for axis in AXES))
        losses.append(errors[point["predicted"]] - min(errors.values()))
        for name in fixed:
            fixed[name].append(errors[name] - min(errors.values()))
    return {
        "grid": grid,
        "held_out": held_out,
        "hits": float(np.mean(np.less_equal(losses, GOOD))),
        "loss": float(np.mean(losses)),
        "loss_of_always": {name: float(np.mean(values)) for name, values in fixed.items()},
        "deviation": {
            name: float(np.median([point["deviation"][name] for point in (*grid, *held_out)]))
            for name in ("error", "lead")
        },
    }


def _point(configuration, place, result_of):
    """Mean errors at one place, and the standard deviations of such means.

    "error" is that of the best store; "lead" that of the second best's error less the best's, both
    on the same streams, which is what a choice between the two depends on.
    """
    runs = [result_of(cell) for cell in _streams(configuration, place)]
    errors = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
    best, second = sorted(errors, key=errors.get)[:2]
    leads = [run[second] - run[best] for run in runs]
    found = {"error": [run[best] for run in runs], "lead": leads}
    return {axis: place[axis] for axis in AXES} | {
        "errors": errors,
        "deviation": {name: float(stats.sem(values)) for name, values in found.items()},
    }


def present(configuration, summary):
    """Return the winners at every grid point, a row for each load and touch rate."""
    return winners(configuration, summary, EXPERIMENT.title, "|log2(estimate / exact)|")


def winners(configuration, summary, title, error):
    """The table of `present`, for any title and error."""
    columns = list(itertools.product(configuration["keep"], configuration["exponent"]))
    best = {
        tuple(point[axis] for axis in AXES): min(point["errors"].items(), key=lambda pair: pair[1])
        for point in summary["grid"]
    }
    rows = [
        (
            f"{load}",
            f"{touched:g}",
            *("{} {:.1f}".format(*best[load, keep, touched, a]) for keep, a in columns),
        )
        for load in configuration["load"]
        for touched in configuration["touched"]
    ]
    always = ", ".join(f"{name} {loss:.2f}" for name, loss in summary["loss_of_always"].items())
    notes = [
        f"The store of the smallest error and that error, the mean of {error}.",
        f"On {len(summary['held_out'])} streams that the map was not fitted to, its choice is "
        f"within {GOOD} of the best in {summary['hits']:.0%}; mean loss {summary['loss']:.2f} "
        f"octaves (always the same store: {always}).",
        "Standard deviation of a mean over {} streams, the median over all places: {:.2f} octaves "
        "of the smallest error, {:.2f} of its distance from the second smallest.".format(
            configuration["streams"], *summary["deviation"].values()
        ),
    ]
    titles = ("K", "touched", *(f"c={keep:g} a={exponent:g}" for keep, exponent in columns))
    return Table(title, titles, rows, notes)


def cost(settings):
    """Rows times steps of the stream, and the steps' own overhead."""
    rows = settings["load"] * settings["width"] * settings["touched"]
    return (rows + 500) / (1 - settings["keep"])


EXPERIMENT = Experiment(
    name="store-map",
    title="Which count-min store errs least, by load, touch rate, decay and Zipf exponent",
    source="theory §7: no single winner",
    duration={"quick": "20 s", "full": "20 min"},
    sizes=SIZES,
    runs=runs,
    measure=measure,
    summarise=summarise,
    present=present,
    cost=cost,
)
