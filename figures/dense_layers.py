"""Sketched state of dense layers: accuracy against bytes (Table 5's counterpart)."""

from analysis.theory.published import TABLES
from figures.common import style
from figures.common.comparison import DIVERGED, dots
from figures.common.figure import Figure
from figures.common.stores import LOOK_NOTE


def draw(study):
    rows = study.summary["rows"]
    page, axes = style.panels(0.55 + 0.155 * len(rows))
    axes.set(xlabel="test accuracy, %")
    dots(axes, study, rows, _label, lambda error: 100 * (1 - error))
    return page


def _label(row):
    form = row["form"].replace("element-wise", "single").replace("blocks of", "blocks")
    return f"{row['family']} {row['state']}, {form}"


def caption(study):
    of = study.configuration
    published = TABLES["5"].sentence("top-1 accuracy, %")
    return (
        "Accuracy of a small perceptron on handwritten digits, every step dense, a point for each "
        f"of {of['replicates']} seeds; grey lines: the mean of the family's exact state. Stores "
        "share buckets between single weights or blocks of neighbours, 5 or 20 times smaller than "
        f"exact. {LOOK_NOTE} {DIVERGED} Published, on another task: {published}."
    )


FIGURE = Figure(
    "dense-layers",
    "Sketched state of dense layers",
    ("dense-layers",),
    draw,
    caption,
    extra="paper",
)
