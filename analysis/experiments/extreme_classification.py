"""Extreme classification: MACH among 47,200 codes of ICD-10-CM, V at a hundredth of its size.

The queries are held-out inclusion terms. The learning rate of every variant is chosen with the same
effort (`analysis.training.comparison`); a try is of one classifier, otherwise as long as a run.
"""

import statistics

import sketchlab as sl
from analysis.lab.study import Table
from analysis.theory.published import TABLES
from analysis.training import comparison, mach
from analysis.training.variants import LINEAR, PAPER, RELEASED, Variant

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


#: How much is done: steps of a classifier, tries for the rate, queries.
SIZES = {
    "full": {
        "steps": 321,
        "tries": 6,
        "replicates": 3,
        "validation_queries": 1_000,
        "test_queries": None,
    },
    "quick": {
        "steps": 40,
        "tries": 3,
        "replicates": 3,
        "validation_queries": 200,
        "test_queries": 500,
    },
}


def _recalls(_, results):
    """Mean and deviation over the seeds of every recall; a run that diverged found nothing."""
    found = {k: [result["recalls"][k] for result in results] for k in results[0]["recalls"]}
    return {
        "recalls": {
            k: {"mean": statistics.fmean(values), "std": statistics.stdev(values)}
            for k, values in found.items()
        }
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
        *comparison.edge_note(summary["rows"]),
    ]
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
    VARIANTS,
    sizes=SIZES,
    more=_recalls,
    name="extreme-classification",
    title="MACH on ICD-10-CM: recall of held-out terms against optimizer state",
    source="Spring et al. 2019, Table 10, on other data and a smaller model",
    duration={"quick": "1 min", "full": "5 min"},
    present=present,
)
