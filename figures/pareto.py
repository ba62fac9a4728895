"""Quality against bytes of auxiliary state, for every store."""

from figures.common import style
from figures.common.comparison import curves
from figures.common.figure import Figure

FAMILIES = {"RMSprop": "RMSprop: v", "Momentum": "Momentum: m"}
SCORES = {
    "language": "test perplexity",
    "logistic": "test log loss, nats",
    "mach": "1 − Recall@100",
}


def draw(study):
    parts = study.summary["parts"]
    page, panels = style.panels(1.0 + 1.7 * len(parts), len(parts), len(FAMILIES), squeeze=False)
    named = {}
    for line, (part, rows) in zip(panels, parts.items()):
        for axes, (family, title) in zip(line, FAMILIES.items()):
            mine = [row for row in rows if row["family"] == family]
            axes.set_visible(bool(mine))
            curves(axes, study, mine)
            axes.set(xscale="log", yscale="log", title=title)
            style.plain_ticks(axes.xaxis, most=3)
            style.plain_ticks(axes.yaxis)
            handles, labels = axes.get_legend_handles_labels()
            named |= dict(zip(labels, handles))
        line[0].set_ylabel(f"{part}:\n{SCORES[part]}")
    for axes in panels[-1]:
        axes.set_xlabel("auxiliary state, kB")
    page.legend(named.values(), named, loc="outside upper center", ncols=2)
    return page


def caption(study):
    best = "; ".join(
        f"{part}, {family}: {', '.join(_undominated(rows, family))}"
        for part, rows in study.summary["parts"].items()
        for family in FAMILIES
        if any(row["family"] == family for row in rows)
    )
    steps = ", ".join(f"{p} {of['steps']:,}" for p, of in study.configuration["parts"].items())
    return (
        "Test score (lower is better) against the bytes of auxiliary state, every store with "
        f"{study.configuration['tries']} tries for its learning rate; means and standard "
        f"deviations of {study.configuration['replicates']} seeds (steps: {steps}). Stores that "
        f"no other one beats in score with as few bytes, from few bytes to many: {best}."
    )


def _undominated(rows, family):
    kept = [row for row in rows if row["family"] == family and not row["dominated"]]
    kept.sort(key=lambda row: row["state_bytes"])
    return [f"{row['state']} {row['form'].replace('lazy', '')}".strip() for row in kept]


FIGURE = Figure("pareto", "Quality against bytes, every store", ("pareto",), draw, caption)
