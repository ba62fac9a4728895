"""Memory that a sketched state saves: computed, measured here, and published (Tables 5-8, 10)."""

from figures.common import style
from figures.common.figure import Figure

COMPUTED = style.Look(style.BLACK, "o", "none")
MEASURED = style.Look(style.VERMILION, "x", "none")
PUBLISHED = style.Look(style.BLUE, "D", "none")

#: Measured savings within this share of the computed ones are taken to agree.
NEAR = 0.05


def draw(study):
    measured = [row for row in study.summary["measured"] if row["deviation"] is not None]
    published = [row for row in study.summary["published"] if _changed(row)]
    counts = len(measured), len(published)
    page, panels = style.panels(1.5 + 0.17 * sum(counts), 2, height_ratios=counts)
    upper, lower = panels
    _dots(upper, measured, "saved_mb", COMPUTED, "computed")
    _dots(upper, measured, "measured_saved_mb", MEASURED, "measured here")
    _names(upper, [f"{row['task']}, {row['state']}" for row in measured])
    _dots(lower, published, "saved_mb", COMPUTED, "computed")
    _dots(lower, published, "published_saved_mb", PUBLISHED, "published")
    _names(lower, [f"Table {row['table']}, {row['state']}" for row in published])
    for axes in panels:
        axes.axvline(0, color=style.GREY, linewidth=0.8)
        axes.set_xlabel("memory saved, MB")
        axes.legend()
    return page


def _changed(row):
    return row["saved_mb"] or row["published_saved_mb"]


def _dots(axes, rows, of, look, label):
    axes.plot([row[of] for row in rows], range(len(rows)), label=label, **look.line())


def _names(axes, names):
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names, fontsize=6.5)


def caption(study):
    rows = [row for row in study.summary["measured"] if row["deviation"] is not None]
    near = max((abs(row["deviation"]) for row in rows if abs(row["deviation"]) <= NEAR), default=0)
    far = [row for row in rows if abs(row["deviation"]) > NEAR]
    but = "; ".join(f"{row['task']}, {row['state']}: {row['deviation']:+.1%}" for row in far)
    size = "a tenth of the paper's rows" if study.configuration["mode"] == "quick" else "full size"
    return (
        "Memory that a state saves against the exact one. Above: bytes of the stores as computed, "
        "and peak resident memory of fresh processes that train such tables (LM1B: two tables of "
        f"793,471 × 256; Amazon: 80,000 × 1024 and 20,000 × 1024; {size}). They differ by at most "
        f"{near:.1%}{f', except for {but}' if but else ''}. Below: the same arithmetic for the "
        "layers behind the paper's tables, and what the paper measured of a GPU's memory with "
        "activations, workspaces and the allocator's reserve."
    )


FIGURE = Figure("memory", "Memory saved: computed, measured, published", ("memory",), draw, caption)
