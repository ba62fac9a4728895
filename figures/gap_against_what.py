"""What the paper's CS-MV loses, by what of the model is sketched and how much smaller."""

import statistics

from figures.common import style
from figures.common.figure import Figure


def draw(study):
    page, axes = style.panels(2.9)
    parts = dict.fromkeys(one["sketched"] for one in study.summary["gaps"])
    for part, look in zip(parts, style.LOOKS[1:]):
        known = [_known(one) for one in study.summary["gaps"] if one["sketched"] == part]
        known = [(compression, seeds) for compression, seeds in known if seeds]
        sizes = [compression for compression, _ in known]
        axes.plot(
            sizes, [statistics.median(seeds) for _, seeds in known], label=part, **look.line()
        )
        for compression, seeds in known:
            axes.plot([compression] * len(seeds), seeds, **look.points(markersize=2))
    axes.axhline(1, color=style.GREY, linewidth=0.5)
    axes.set(xscale="log", xlabel="times smaller than exact", ylabel="perplexity / exact's")
    axes.set_yscale("log")
    axes.margins(0.08)
    style.plain_ticks(axes.xaxis)
    style.plain_ticks(axes.yaxis)
    style.legend_above(page, axes, 2)
    return page


def _known(one):
    return one["compression"], [1 + gap for gap in one["gaps"] if gap is not None]


def caption(study):
    text = study.configuration["common"]["corpus"]
    lost = sum(gap is None for one in study.summary["gaps"] for gap in one["gaps"])
    diverged = f" {lost} runs diverged and are not drawn." if lost else ""
    return (
        "Test perplexity of the paper's CS-MV (lazy) over exact state's of the same seed, by the "
        f"compression and by what is sketched; lines through the medians, small marks for each of "
        f"{study.configuration['replicates']} seeds, equal tries for the rate of every point "
        f"(LM1B set-up, {text['name']}, vocabulary {text['vocabulary']:,}, "
        f"{study.configuration['epochs']} epochs). The "
        "released code sketches the embedding alone on Wikitext-2, and both tables on LM1B."
        f"{diverged}"
    )


FIGURE = Figure(
    "gap-against-what",
    "What CS-MV loses, by what is sketched",
    ("gap-against-what",),
    draw,
    caption,
    extra="paper",
)
