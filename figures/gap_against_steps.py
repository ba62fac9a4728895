"""What sketched state loses, by the length of training, and where published lengths would lie."""

import math

import numpy as np

from analysis.theory.published import STEPS, perplexity_to_exact
from figures.common import style
from figures.common.figure import Figure

LABELS = ("CS-MV, embedding", "CS-MV, both tables", "no M, CMS conservative, both")


def draw(study):
    page, axes = style.panels(2.9)
    improving = study.summary["improving"]
    for way, label, look in zip(study.summary["ways"], LABELS, style.LOOKS[1:]):
        points = [
            (point["steps"], 100 * gap)
            for point in way["points"]
            for gap in point["gaps"]
            if gap is not None
        ]
        if points:
            axes.plot(*zip(*points), label=label, **look.points())
        if way["fit"] is not None:
            fitted = [point["steps"] for point in way["points"] if point["epochs"] <= improving]
            _line(axes, way["fit"]["line"], max(fitted), look)
    axes.axhline(0, color=style.GREY, linewidth=0.5)
    axes.set(xscale="log", xlabel="training steps", ylabel="perplexity over exact, %")
    style.legend_above(page, axes, 1)
    return page


def _line(axes, line, last, look):
    """The power law, fitted up to `last` steps, drawn to the longest published length."""
    steps, middle, low, high = np.array(line).T
    middle, low, high = 100 * middle, 100 * low, 100 * high
    inside = steps <= last
    axes.plot(steps[inside], middle[inside], color=look.color, linewidth=0.8)
    axes.plot(steps[~inside], middle[~inside], color=look.color, linewidth=0.8, linestyle=":")
    axes.fill_between(steps, low, np.minimum(high, 3 * middle[0]), color=look.color, alpha=0.12)


def caption(study):
    text, ways = study.configuration["common"]["corpus"], study.summary["ways"]
    fits = "; ".join(
        f"{label}: {_found(way['fit'])}" for way, label in zip(ways, LABELS, strict=True)
    )
    return (
        "Test perplexity over exact state's of the same seed, a point for each of "
        f"{study.configuration['replicates']} seeds, for ever longer training with rates chosen "
        f"anew for every length (LM1B set-up, {text['name']}, vocabulary {text['vocabulary']:,}). "
        "Lines: power laws fitted to the points up to "
        f"{study.summary['improving']} epochs, with which exact state is best, dotted where they "
        f"are extrapolated, with 95 % intervals that hold as far as the laws do. {fits}. "
        f"Published: {perplexity_to_exact('4', 'CS-MV')} after {STEPS['Wikitext-2']:,} steps "
        "with the embedding sketched, "
        f"{perplexity_to_exact('9', 'CS-MV')} after {STEPS['LM1B']:,} with both tables (number of "
        "the table in brackets)."
    )


def _found(fit):
    if fit is None:
        return "no power law, as a gap is not above zero"
    places = ", ".join(
        f"{100 * gap:.1f} % ({100 * low:.1f} to {100 * high:.1f}) at {name}'s length"
        for name, (gap, low, high) in fit["at"].items()
        if math.isfinite(gap)
    )
    return f"exponent {fit['slope']:.2f}, {places}"


FIGURE = Figure(
    "gap-against-steps",
    "What sketched state loses, by the length of training",
    ("gap-against-steps",),
    draw,
    caption,
    extra="paper",
)
