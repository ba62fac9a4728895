"""Midpoints of gradient, M and V along training (the paper's Figures 1 and A.2)."""

from analysis.published import MIDPOINT
from figures.common import style
from figures.common.figure import Figure

VARIABLES = ("gradient", "M", "V")
TABLES = ("embedding", "softmax")


def draw(study):
    every = study.configuration["size"]["every"]
    page, panels = style.panels(2.6, columns=len(TABLES), sharey=True)
    for axes, table in zip(panels, TABLES):
        runs = [run["midpoints"][table] for run in study.curves["runs"]]
        steps = [every * (at + 1) for at in range(len(runs[0]))]
        for at, (look, variable) in enumerate(zip(style.LOOKS, VARIABLES)):
            for kind, linestyle in (("all", "-"), ("touched", ":")):
                values = [[point[kind][at] for point in run] for run in runs]
                middle = [sum(column) / len(column) for column in zip(*values)]
                label = variable if kind == "all" else None
                axes.plot(steps, middle, label=label, **look.line(linestyle=linestyle))
                low, high = zip(*((min(column), max(column)) for column in zip(*values)))
                axes.fill_between(steps, low, high, color=look.color, alpha=0.15, lw=0)
        axes.axhline(MIDPOINT, color=style.GREY, linewidth=0.8)
        axes.set(yscale="log", title=f"{table} table", xlabel="step")
    axes.text(steps[-1], 0.92 * MIDPOINT, "published: below", ha="right", va="top", fontsize=6)
    panels[0].set_ylabel("share of entries that\nholds half of the mass")
    style.legend_above(page, panels[0], 3)
    return page


def caption(study):
    size = study.configuration["size"]
    return (
        "Midpoint — the share of the sorted entries that holds half of the total magnitude; 0.5 if "
        "all were alike — of gradient, M and V of exact Adam along the first "
        f"{size['steps']:,} steps of the language model (d = {size['dim']}, {size['replicates']} "
        "runs, bands from lowest to highest). Solid: of all entries of the table, as in the paper; "
        "dotted: of rows that are not zero, so that sparsity does not count as skew. Published "
        f"(Figure A.2, Wikitext-2): below {MIDPOINT} on average."
    )


FIGURE = Figure(
    name="midpoints",
    title="The power law of gradients and moments: midpoints",
    needs=("power-law",),
    draw=draw,
    caption=caption,
)
