"""Recall of MACH on ICD-10-CM against the optimizer's state (Table 10's counterpart)."""

from analysis.theory.published import TABLES
from figures.common import style
from figures.common.figure import Figure
from figures.common.stores import label_of


def draw(study):
    rows = study.summary["rows"]
    page, axes = style.panels(1.0 + 0.2 * len(rows))
    for look, depth in zip(style.LOOKS[1:], rows[0]["recalls"]):
        found = [row["recalls"][depth] for row in rows]
        axes.errorbar(
            [one["mean"] for one in found],
            range(len(rows)),
            xerr=[one["std"] for one in found],
            label=f"Recall@{depth}",
            **look.points(),
        )
    axes.set(xlim=(0, None), ylim=(len(rows) - 0.5, -0.5), xlabel="recall of held-out terms")
    names = [f"{label_of(row)}\n{row['state_bytes'] / 1e6:.2f} MB" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=6)
    style.legend_above(page, axes, 3)
    return page


def caption(study):
    data = study.configuration["common"]["data"]
    return (
        f"Recall of held-out inclusion terms among {data['classes']:,} codes of ICD-10-CM, means "
        f"and standard deviations of {study.configuration['replicates']} seeds, learning rates "
        "chosen with the same effort; MB: state of both tables; sketches 100 times smaller. "
        f"Published: {TABLES['10'].sentence('Recall@100')}."
    )


FIGURE = Figure(
    "extreme-classification",
    "MACH with a sketched second moment",
    ("extreme-classification",),
    draw,
    caption,
)
