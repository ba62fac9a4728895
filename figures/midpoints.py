"""Midpoints of gradient, M and V along training (the paper's Figures 1 and A.2)."""

from analysis.theory.published import MIDPOINT
from figures.common import style
from figures.common.figure import Figure

VARIABLES = ("gradient", "M", "V")
TABLES = ("embedding", "softmax")


def draw(study):
    results = runs_of(study)
    steps = results[0]["steps"]
    page, panels = style.panels(2.6, columns=len(TABLES), sharey=True)
    for axes, table in zip(panels, TABLES):
        for at, (look, variable) in enumerate(zip(style.LOOKS, VARIABLES)):
            for kind, linestyle in (("all", "-"), ("touched", ":")):
                runs = [[p[at] for p in result["midpoints"][table][kind]] for result in results]
                label = variable if kind == "all" else None
                looks = look.line(linestyle=linestyle, marker="none")
                style.band(axes, steps, runs, label=label, **looks)
        axes.axhline(MIDPOINT, color=style.GREY, linewidth=0.8)
        axes.set(yscale="log", title=f"{table} table", xlabel="step")
    axes.text(steps[-1], 1.1 * MIDPOINT, "published: below", ha="right", fontsize=6)
    axes.set_ylim(None, 2 * MIDPOINT)
    panels[0].set_ylabel("share of entries that\nholds half of the mass")
    style.legend_above(page, panels[0], 3)
    return page


def runs_of(study):
    """The results of the study's seeds."""
    fixed = {name: study.configuration[name] for name in ("dim", "steps", "corpus")}
    return study.runs_of(**fixed)


def caption(study):
    of = study.configuration
    return (
        "Midpoint — the share of the sorted entries that holds half of the total magnitude; 0.5 if "
        f"all were alike — of gradient, M and V of exact Adam along {of['steps']:,} steps of the "
        f"language model (d = {of['dim']}; means of {of['replicates']} seeds, bands from lowest "
        "to highest). Solid: of all entries of the table, as in the paper; dotted: of rows that "
        "are not zero, so that sparsity does not count as skew. Published (Figure A.2, "
        f"Wikitext-2): below {MIDPOINT} on average."
    )


FIGURE = Figure(
    "midpoints",
    "The power law of gradients and moments: midpoints",
    ("power-law-curves",),
    draw,
    caption,
)
