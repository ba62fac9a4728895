"""Every seed of every variant of the language model (the paper's Tables 3, 4, 6, 7 and 9)."""

from itertools import groupby

from analysis.published import PERPLEXITY, TABLES
from figures.common import style
from figures.common.figure import Figure
from figures.common.variants import label_of, look_of


def draw(study):
    rows = study.summary["rows"]
    page, axes = style.panels(0.55 + 0.155 * len(rows))
    for place, row in enumerate(rows):
        seeds = [value for value in row["perplexities"] if value is not None]
        axes.plot(seeds, [place] * len(seeds), **look_of(row).points())
        if row["mean"] is None:
            axes.text(0.02, place, "diverged", transform=axes.get_yaxis_transform(), va="center")
    first = 0
    for _, family in groupby(rows, key=lambda row: row["family"]):
        family = list(family)
        (exact, *_) = [row["mean"] for row in family if row["state"] == "exact"]
        axes.plot([exact] * 2, [first - 0.4, first + len(family) - 0.6], color=style.GREY, zorder=1)
        axes.axhline(first - 0.5, color="#cccccc", linewidth=0.5)
        first += len(family)
    axes.set(xscale="log", xlabel="test perplexity", ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticks(range(len(rows)), [label_of(row) for row in rows], fontsize=6.5)
    style.plain_ticks(axes.xaxis)
    return page


def caption(study):
    published = "; ".join(TABLES[number].sentence(PERPLEXITY) for number in "34679")
    return (
        "Test perplexity of the language model, one point for each of "
        f"{study.configuration['replicates']} seeds; grey lines: the mean of the family's exact "
        f"state (lazy). Sketches are 5 times smaller, of depth 3. Published, on larger models and "
        f"other text: {published}."
    )


FIGURE = Figure(
    name="perplexity-by-variant",
    title="Perplexity by variant, every seed",
    needs=("language-model",),
    draw=draw,
    caption=caption,
)
