"""How unequal gradient, M and V are, and whether their largest entries stay the same.

One run of the language model with exact Adam for each seed: the midpoint (`analysis.checks
.power_law`, whose measuring this is) along the run, and at three points of it the sorted
magnitudes and the hundred largest entries and rows, which are compared between the points.
"""

import itertools

import numpy as np

import sketchlab as sl
from analysis.checks.power_law import RATE, VARIABLES, midpoints, variables
from analysis.lab.intervals import slope
from analysis.lab.study import Experiment, Table
from analysis.problems import corpus as text
from analysis.training.exact_run import TABLES, exact_run

TOP = 100
#: Points of a sorted curve, and of a run's midpoints.
RANKS, POINTS = 40, 30
#: The paper's epochs 5, 20 and 40 of 40.
SNAPSHOTS = (1 / 8, 1 / 2, 1)
# Ranks between which the exponent is fitted: past the few largest, before the tail falls off.
FITTED = (10, 10_000)
SIZES = {
    "full": {"dim": 32, "steps": 2000, "replicates": 3},
    "quick": {"dim": 32, "steps": 120, "replicates": 3},
}


def configure(options):
    """Return what the options ask for, and the path of the text."""
    corpus = {"corpus": text.load(options.corpus).summary()}
    return options.sized(SIZES, len(SNAPSHOTS)) | corpus, options.corpus


def runs(configuration):
    """Return one run for each seed."""
    common = {name: configuration[name] for name in ("dim", "steps", "seed", "corpus")}
    return [{**common, "replicate": number} for number in range(configuration["replicates"])]


def snapshots(steps):
    """The three points of a run, as distinct steps."""
    points = [max(number, round(share * steps)) for number, share in enumerate(SNAPSHOTS, 1)]
    return [min(point, steps - later) for point, later in zip(points, (2, 1, 0))]


def measure(settings, path):
    """Midpoints along one run, and at three points its sorted magnitudes and largest entries."""
    sequence = np.random.SeedSequence(settings["seed"], spawn_key=(settings["replicate"],))
    steps, taken = settings["steps"], snapshots(settings["steps"])
    at = sorted(set(np.linspace(1, steps, POINTS).round().astype(int).tolist()))
    curves = {name: [] for name in TABLES}
    seen = {name: [] for name in TABLES}
    corpus = text.load(path)
    for step in exact_run(corpus, sl.Adam, RATE, settings["dim"], steps, sequence):
        for name in TABLES:
            if step.number in at:
                found = midpoints(*variables(step, name))
                curves[name].append({kind: _rounded(found[kind]) for kind in ("all", "touched")})
            if step.number in taken:
                seen[name].append(_snapshot(*variables(step, name)))
    return {
        "steps": at,
        "snapshots": taken,
        "midpoints": {
            name: {kind: [found[kind] for found in curves[name]] for kind in ("all", "touched")}
            for name in TABLES
        },
        "sorted": {
            name: {
                variable: [found[number]["sorted"] for found in seen[name]]
                for number, variable in enumerate(VARIABLES)
            }
            for name in TABLES
        },
        "kept": {name: _persistence(seen[name]) for name in TABLES},
    }


def _snapshot(rows, values, entries):
    """For each variable its sorted magnitudes and the places of its largest entries and rows."""
    return [_sorted_and_top(*pair) for pair in zip(rows, values)]


def _sorted_and_top(rows, values):
    magnitudes = np.abs(values).ravel()
    order = np.argsort(-magnitudes, kind="stable")
    ranks = np.unique(np.geomspace(1, len(order), RANKS).round().astype(int))
    top = order[:TOP]
    norms = np.linalg.norm(values, axis=1)
    return {
        "sorted": {
            "ranks": ranks.tolist(),
            "magnitudes": _rounded(magnitudes[order[ranks - 1]]),
        },
        "entries": {
            (int(rows[place // values.shape[1]]), int(place % values.shape[1])) for place in top
        },
        "rows": set(rows[np.argsort(-norms, kind="stable")[:TOP]].tolist()),
    }


def _persistence(seen):
    """Share of the hundred largest entries, and rows, that two points of a run have in common."""
    return {
        kind: {
            variable: [
                len(earlier[number][kind] & later[number][kind]) / len(later[number][kind])
                for earlier, later in itertools.combinations(seen, 2)
            ]
            for number, variable in enumerate(VARIABLES)
        }
        for kind in ("entries", "rows")
    }


def _rounded(values):
    return [float(f"{value:.4g}") for value in values]


def summarise(configuration, result_of):
    """Return, for every table and variable, means over the seeds."""
    results = [result_of(cell) for cell in runs(configuration)]
    return {
        "rows": [
            _row(results, name, number, variable)
            for name in TABLES
            for number, variable in enumerate(VARIABLES)
        ]
    }


def _row(results, name, number, variable):
    along = {
        kind: np.array([np.array(r["midpoints"][name][kind])[:, number] for r in results])
        for kind in ("all", "touched")
    }
    kept = {
        kind: np.mean([result["kept"][name][kind][variable] for result in results], axis=0)
        for kind in ("entries", "rows")
    }
    exponents = [_exponent(result["sorted"][name][variable][-1]) for result in results]
    return {
        "table": name,
        "variable": variable,
        "midpoint": float(along["all"].mean()),
        "midpoint_std": float(along["all"].mean(axis=1).std(ddof=1)) if len(results) > 1 else None,
        "highest_midpoint": float(along["all"].max()),
        "midpoint_touched": float(along["touched"].mean()),
        "exponent": float(np.mean(exponents)),
        "kept_entries": kept["entries"].tolist(),
        "kept_rows": kept["rows"].tolist(),
    }


def _exponent(curve):
    """a, where the i-th largest magnitude is about ∝ i^(−a)."""
    ranks, magnitudes = np.array(curve["ranks"]), np.array(curve["magnitudes"])
    fitted = (FITTED[0] <= ranks) & (ranks <= FITTED[1]) & (magnitudes > 0)
    return -slope(ranks[fitted], magnitudes[fitted])


def present(configuration, summary):
    """Return the table of midpoints, exponents and persistence."""
    points = snapshots(configuration["steps"])
    pairs = ", ".join(f"{a:,} and {b:,}" for a, b in itertools.combinations(points, 2))
    notes = [
        f"Exact Adam, {configuration['replicates']} seeds, {configuration['steps']:,} steps; "
        f"{configuration['corpus']['name']}, vocabulary "
        f"{configuration['corpus']['vocabulary']:,}, d = {configuration['dim']}.",
        "Midpoint: the share of the entries that holds half of the mass, mean along the run "
        "(highest in brackets); 0.5 where all are alike. Exponent a: the i-th largest entry is "
        f"about ∝ i^(−a), fitted for ranks {FITTED[0]:,} to {FITTED[1]:,} at the end.",
        f"Kept: share of the {TOP} largest entries (rows) that steps {pairs} have in common.",
    ]
    return Table(
        EXPERIMENT.title,
        ("table", "variable", "midpoint", "touched rows", "a", "entries kept", "rows kept"),
        [
            (
                row["table"],
                row["variable"],
                f"{row['midpoint']:.3f} ({row['highest_midpoint']:.3f})",
                f"{row['midpoint_touched']:.3f}",
                f"{row['exponent']:.2f}",
                *(
                    " / ".join(f"{share:.2f}" for share in row[kind])
                    for kind in ("kept_entries", "kept_rows")
                ),
            )
            for row in summary["rows"]
        ],
        notes,
    )


def cost(settings):
    """Steps of the run."""
    return settings["steps"]


EXPERIMENT = Experiment(
    name="power-law-curves",
    title="Sorted magnitudes of gradient, M and V, their midpoints and their largest entries",
    source="Spring et al. 2019, Figures 1, A.1 and A.2, on another text and a smaller model",
    duration={"quick": "20 s", "full": "1 min"},
    configure=configure,
    runs=runs,
    measure=measure,
    summarise=summarise,
    present=present,
    cost=cost,
)
