"""BERT's setting made small: a Transformer whose RMSprop is sketched, against Adam.

The table that came with the paper's released code trains BERT-Large with a count-min sketch and
RMSprop. Here an encoder of two layers predicts masked words (`analysis.training.bert`); every
gradient is dense, and every matrix's state is kept as a row says.
"""

from functools import partial

import sketchlab as sl
from analysis.lab.study import Table
from analysis.theory.published import TABLES
from analysis.training import bert, comparison
from analysis.training.variants import BY_NAME, COMPRESSION, DEPTH, LINEAR, Variant, shrunken

VARIANTS = (
    BY_NAME["Adam exact (lazy)"],
    BY_NAME["Adam CS-MV (paper: lazy)"],
    shrunken(COMPRESSION),
    shrunken(20),
    BY_NAME["RMSprop exact (lazy)"],
    BY_NAME["RMSprop CMS (paper: lazy)"],
    BY_NAME["RMSprop CMS conservative (linear: global)"],
    Variant(
        "RMSprop",
        "CMS conservative",
        f"{LINEAR}: global, 20x",
        v=sl.CountMinSketch(compression=20, depth=DEPTH, conservative=True),
    ),
    BY_NAME["RMSprop NMF rank-1 (global)"],
)
_ENCODER = {"dim": 64, "heads": 4, "layers": 2}
SIZES = {
    "full": {
        **_ENCODER,
        "words": {"vocabulary": 8_000, "train": 400_000, "validation": 20_000, "test": 50_000},
        "epochs": 4,
        "tries": 4,
        "replicates": 3,
    },
    "quick": {
        **_ENCODER,
        "words": {"vocabulary": 2_000, "train": 60_000, "validation": 8_000, "test": 16_000},
        "epochs": 3,
        "tries": 3,
        "replicates": 3,
    },
}


def present(configuration, summary):
    """Return the table of perplexities of hidden words."""
    rows, common = summary["rows"], configuration["common"]
    text = common["corpus"]
    notes = [
        f"{configuration['replicates']} seeds, {configuration['epochs']} epochs of "
        f"{text['train']:,} words of {text['name']}, vocabulary {text['vocabulary']:,}; encoder of "
        f"{configuration['layers']} layers, d = {configuration['dim']}, "
        f"{configuration['heads']} heads; batches of {common['batch']} × {common['length']} words, "
        f"{common['hidden']:.0%} of them hidden; the rate falls linearly to 0.",
        f"Score: perplexity of hidden words of the test text. Sketches are {COMPRESSION}x smaller "
        f"unless a row says more, depth {DEPTH}; rows of a sketch are rows of a matrix; parameters "
        "of fewer than 4,096 numbers have exact state in every row.",
        f"Published, another model and text: {TABLES['README'].sentence('perplexity')}.",
        f"Rates: {configuration['tries']} tries on one seed, as long as the runs.",
        *comparison.edge_note(rows),
    ]
    columns = ("optimizer", "state", "form", "first rate", "perplexity", "to exact", "to Adam")
    columns += ("state, kB", "ratio")
    return Table(EXPERIMENT.title, columns, [_row(row, rows[0]) for row in rows], notes)


def _row(row, adam):
    *before, kept, ratio = comparison.table_row(row, "{:.1f}")
    known = row["mean"] is not None and adam["mean"]
    off = f"{row['mean'] / adam['mean'] - 1:+.1%}" if known else ""
    return (*before, off, kept, ratio)


EXPERIMENT = comparison.experiment_on(
    bert,
    VARIANTS,
    sizes=SIZES,
    common=partial(bert.asked, "masked-language-model", SIZES),
    name="masked-language-model",
    title="BERT's setting made small: a masked language model, RMSprop sketched against Adam",
    source="Spring et al. 2019, released code: BERT-Large, CMS-RMSprop against Adam",
    duration={"quick": "4 min", "full": "40 min"},
    present=present,
    on_request=True,
)
