"""Sorted magnitudes of Adam's M and V, and which entries stay the largest (Figure A.1)."""

from figures.common import style
from figures.common.figure import Figure
from figures.midpoints import TABLES, runs_of

VARIABLES = ("M", "V")


def draw(study):
    first, *_ = runs_of(study)
    page, panels = style.panels(3.6, 2, 2, sharex=True, sharey="row")
    for row, variable in zip(panels, VARIABLES):
        for axes, table in zip(row, TABLES):
            curves = first["sorted"][table][variable]
            for look, step, curve in zip(style.LOOKS, first["snapshots"], curves):
                kept = [pair for pair in zip(curve["ranks"], curve["magnitudes"]) if pair[1] > 0]
                axes.plot(*zip(*kept), label=f"step {step:,}", **look.line(marker="none"))
            axes.set(xscale="log", yscale="log")
        row[0].set_ylabel(f"|{variable}|, sorted")
    for axes, table in zip(panels[0], TABLES):
        axes.set_title(f"{table} table")
    for axes in panels[-1]:
        axes.set_xlabel("rank of the entry")
    style.legend_above(page, panels[0][0], 3)
    return page


def caption(study):
    rows = [row for row in study.summary["rows"] if row["variable"] in VARIABLES]
    kept = "; ".join(
        f"{row['table']} {row['variable']} {' / '.join(f'{s:.0%}' for s in row['kept_entries'])}"
        for row in rows
    )
    exponents = ", ".join(f"{row['table']} {row['variable']} {row['exponent']:.2f}" for row in rows)
    early, middle, late = (f"{step:,}" for step in runs_of(study)[0]["snapshots"])
    return (
        "Sorted magnitudes of the moments of exact Adam at three points of one run of the language "
        f"model (d = {study.configuration['dim']}), as in the paper's Figure A.1. Exponents a of "
        f"i^(−a) at the end, means of {study.configuration['replicates']} seeds: {exponents}. The "
        f"hundred largest entries that steps {early} and {middle} / {early} and {late} / {middle} "
        f"and {late} have in common: {kept}."
    )


FIGURE = Figure(
    "sorted-magnitudes",
    "The power law of the moments: sorted magnitudes",
    ("power-law-curves",),
    draw,
    caption,
)
