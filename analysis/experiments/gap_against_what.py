"""How the loss of the paper's CS-MV depends on what is sketched, and on how much smaller.

The LM1B set-up made small (`analysis.training.lm1b`), of which the embedding alone is sketched, as
in the released Wikitext-2 code, or the sampled softmax alone, or both, as in the LM1B code, or
every parameter.
"""

from functools import partial
from itertools import product

import sketchlab as sl
from analysis.lab.study import Table
from analysis.training import comparison, gaps, lm1b
from analysis.training.variants import BY_NAME, DEPTH, Variant

COMPRESSIONS = (2, 5, 20, 100)
PARTS = {
    "embedding": ("embedding",),
    "output": ("output",),
    "both": lm1b.TABLES,
    "everything": lm1b.PARTS,
}
EXACT = BY_NAME["Adam exact (lazy)"]


def _cs_mv(what, compression):
    m = sl.CountSketch(compression=compression, depth=DEPTH, decay="lazy")
    v = sl.CountMinSketch(compression=compression, depth=DEPTH, decay="lazy")
    return Variant("Adam", "CS-MV", f"{what}, {compression}x", m=m, v=v)


_PLACES = tuple(product(PARTS, COMPRESSIONS))
VARIANTS = (EXACT, *(_cs_mv(*place) for place in _PLACES))
#: What of the model a variant sketches; of the exact one both tables are kept alike.
_SKETCHED = dict(
    zip((variant.name for variant in VARIANTS), ["both", *(what for what, _ in _PLACES)])
)
SIZES = {
    "full": {
        **lm1b.SMALL["full"],
        "words": {"vocabulary": None, "train": 200_000, "validation": 5_000, "test": 20_000},
        "epochs": 3,
        "tries": 4,
        "replicates": 3,
    },
    "quick": {
        **lm1b.SMALL["quick"],
        "words": {"vocabulary": 8_000, "train": 20_000, "validation": 3_000, "test": 6_000},
        "epochs": 3,
        "tries": 3,
        "replicates": 3,
    },
}


def _settings(configuration, variant, learning_rate, replicate):
    parts = PARTS[_SKETCHED[variant.name]]
    return lm1b.settings(configuration, variant, learning_rate, replicate, parts)


def _gaps(rows):
    """For what is sketched and compressions, the gaps of all seeds."""
    exact, *others = rows
    return {
        "gaps": [
            {"sketched": what, "compression": compression, "gaps": gaps.paired(row, exact)}
            for row, (what, compression) in zip(others, _PLACES, strict=True)
        ]
    }


def present(configuration, summary):
    """Return the table of gaps: what is sketched, by compressions."""
    exact = summary["rows"][0]
    found = {(one["sketched"], one["compression"]): one["gaps"] for one in summary["gaps"]}
    rows = [
        (what, *(gaps.text(found[what, compression]) for compression in COMPRESSIONS))
        for what in PARTS
    ]
    edges = [row["form"] for row in summary["rows"] if row["rate_at_edge"]]
    notes = [
        f"Test perplexity of CS-MV (the paper's, lazy, depth {DEPTH}) against exact state of the "
        f"same seed, {comparison.score_text(exact)}; {configuration['replicates']} seeds, "
        f"{configuration['epochs']} epochs; state that is not sketched is exact. Everything: "
        "tables and the LSTM's matrices.",
        *lm1b.about(configuration),
        f"Rates: {configuration['tries']} tries on one seed for every number, as long as the runs.",
        *([f"Best at the lowest or highest rate tried: {'; '.join(edges)}."] if edges else []),
    ]
    columns = ("sketched", *(f"{compression}x" for compression in COMPRESSIONS))
    return Table(EXPERIMENT.title, columns, rows, notes)


EXPERIMENT = comparison.experiment_on(
    lm1b,
    VARIANTS,
    sizes=SIZES,
    settings=_settings,
    common=partial(lm1b.asked, "gap-against-what", SIZES),
    also=_gaps,
    name="gap-against-what",
    title="What CS-MV loses against exact state, by what is sketched and how much smaller",
    source="Spring et al. 2019, released code: Wikitext-2 sketches the embedding, LM1B both tables",
    duration={"quick": "5 min", "full": "30 min"},
    present=present,
    on_request=True,
)
