"""Extreme classification: MACH among 47,200 codes of ICD-10-CM, V at a hundredth of its size.

The queries are held-out inclusion terms. The learning rate of every variant is chosen with the same
effort (`analysis.training.comparison`); a try is of one classifier, otherwise as long as a run.
"""

import statistics
from typing import NamedTuple

import sketchlab as sl
from analysis.lab.errors import UsageError
from analysis.lab.study import Table
from analysis.theory.published import TABLES
from analysis.training import comparison, mach
from analysis.training.variants import LINEAR, PAPER, RELEASED, Variant

REPLICATES = 3
COMPRESSION = 100


def _cms(decay, conservative=False):
    return sl.CountMinSketch(compression=COMPRESSION, decay=decay, conservative=conservative)


_EXACT = sl.Dense(decay="lazy")
VARIANTS = (
    Variant("Adam", "exact", "lazy", m=_EXACT, v=_EXACT),
    Variant("RMSprop", "exact", "lazy", v=_EXACT),
    Variant("RMSprop", "CMS", f"{PAPER}: lazy", v=_cms("lazy")),
    Variant("RMSprop", "CMS", f"{RELEASED}: bucket", v=_cms("bucket")),
    Variant("RMSprop", "CMS", f"{LINEAR}: global", v=_cms("global")),
    Variant("RMSprop", "CMS conservative", f"{LINEAR}: global", v=_cms("global", True)),
    Variant("RMSprop", "bucket means", "global", v=sl.BucketMean(compression=COMPRESSION)),
)


class Mode(NamedTuple):
    """How much is done: steps of a classifier, tries for the rate, queries."""

    steps: int
    tries: int
    validation_queries: int | None
    test_queries: int | None


FULL = Mode(321, 6, 1_000, None)
QUICK = Mode(40, 3, 200, 500)


def configure(options):
    """Return the configuration that the options ask for."""
    mode = QUICK if options.quick else FULL
    if options.steps is not None:
        if options.steps < 1:
            raise UsageError(f"--steps {options.steps}: give at least 1")
        mode = mode._replace(steps=options.steps)
    configuration = mode._asdict() | {
        "mode": "quick" if options.quick else "full",
        "base_rates": mach.BASE_RATES,
        "replicates": REPLICATES,
        "seed": options.seed,
        "common": mach.constants(),
    }
    return configuration, None


def _comparison(configuration):
    return comparison.Comparison.planned(VARIANTS, mach.settings, configuration)


def summarise(configuration, result_of):
    """Return, for every variant, its tries, its recalls and its bytes of state."""
    rows = _comparison(configuration).rows(result_of)
    for variant, row in zip(VARIANTS, rows, strict=True):
        row["recalls"] = _recalls(configuration, variant, row["learning_rate"], result_of)
    return {"rows": rows}


def _recalls(configuration, variant, rate, result_of):
    """Mean and deviation over the seeds of every recall; a run that diverged found nothing."""
    results = [
        result_of(mach.settings(configuration, variant, rate, replicate))
        for replicate in range(1, configuration["replicates"] + 1)
    ]
    found = {k: [result["recalls"][k] for result in results] for k in results[0]["recalls"]}
    return {
        k: {"mean": statistics.fmean(values), "std": statistics.stdev(values)}
        for k, values in found.items()
    }


def present(configuration, summary):
    """Return the table of recalls."""
    common = configuration["common"]
    data = common["data"]
    epochs = configuration["steps"] * common["batch"] / data["train"]
    notes = [
        f"{configuration['replicates']} seeds, {epochs:.1f} epochs of {data['train']:,} names in "
        f"batches of {common['batch']}; {common['classifiers']} classifiers of "
        f"{common['meta_classes']:,} meta-classes and {common['hidden']} hidden units; "
        f"{configuration['test_queries'] or data['test']:,} held-out terms among "
        f"{data['classes']:,} classes.",
        f"Sketches: {COMPRESSION}x smaller, depth 3. Ratio: the family's exact state over this "
        "one's. The input table is updated sparsely, the output table densely.",
        TABLES["10"].sentence("Recall@100"),
    ]
    if any(row["rate_at_edge"] for row in summary["rows"]):
        notes.append(comparison.EDGE_NOTE)
    recalls = [f"Recall@{k}" for k in summary["rows"][0]["recalls"]]
    return Table(
        EXPERIMENT.title,
        ("optimizer", "state", "form", "first rate", *recalls, "state, MB", "ratio"),
        [_row(row) for row in summary["rows"]],
        notes,
    )


def _row(row):
    recalls = [f"{one['mean']:.3f} ± {one['std']:.3f}" for one in row["recalls"].values()]
    if row["diverged"]:
        recalls[-1] += f" ({row['diverged']} diverged)"
    return (
        row["family"],
        row["state"],
        row["form"],
        comparison.rate_text(row),
        *recalls,
        f"{row['state_bytes'] / 1e6:.2f}",
        f"{row['exact_to_state']:.0f}",
    )


EXPERIMENT = comparison.experiment_on(
    mach,
    _comparison,
    name="extreme-classification",
    title="MACH on ICD-10-CM: recall of held-out terms against optimizer state",
    source="Spring et al. 2019, Table 10, on other data and a smaller model",
    duration={"quick": "1 min", "full": "5 min"},
    configure=configure,
    summarise=summarise,
    present=present,
)
