"""Which pairs of stores for Adam's two moments train, clipped or not (docs/stores.md)."""

from figures.common import style
from figures.common.figure import Figure

DIVERGED = "×"


def draw(study):
    rows = study.summary["rows"]
    firsts, seconds = (list(dict.fromkeys(row[of] for row in rows)) for of in "mv")
    clips = list(dict.fromkeys(row["clip"] for row in rows))
    best = {(row["m"], row["v"], row["clip"]): _best(row["runs"]) for row in rows}
    finite = [score for score in best.values() if score is not None]
    page, panels = style.panels(0.9 + 0.2 * len(clips) * len(firsts), len(clips), sharex=True)
    for axes, clip in zip(panels, clips):
        shown = [[best.get((m, v, clip)) or float("nan") for v in seconds] for m in firsts]
        axes.imshow(
            shown, cmap="viridis_r", norm="log", vmin=min(finite), vmax=max(finite), aspect="auto"
        )
        for y, m in enumerate(firsts):
            for x, v in enumerate(seconds):
                axes.text(x, y, _text(best, (m, v, clip)), ha="center", va="center", **_INK)
        axes.set_yticks(range(len(firsts)), firsts, fontsize=6.5)
        axes.set_title(clip)
        axes.grid(visible=False)
    axes.set_xticks(range(len(seconds)), seconds, rotation=25, ha="right", fontsize=6.5)
    axes.set_xlabel("store of v")
    page.supylabel("store of m", fontsize=7.5)
    return page


_INK = {
    "fontsize": 6,
    "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.7},
}


def _best(runs):
    """The lowest mean perplexity over the rates; None where runs diverged at every rate."""
    return min((run["mean"] for run in runs if not run["diverged"]), default=None)


def _text(best, pair):
    if pair not in best:
        return "–"
    return DIVERGED if best[pair] is None else f"{best[pair]:.0f}"


def caption(study):
    plan = study.configuration["plan"]
    rates = " and ".join(f"{rate:g}" for rate in plan["rates"])
    return (
        f"Test perplexity of the language model after {plan['steps']} steps of Adam for every pair "
        f"of stores, mean of {study.configuration['replicates']} seeds at the better of the rates "
        f"{rates}; {DIVERGED}: some seed diverged at every rate; –: no feasible clip is defined "
        "for a lazy m over a global v. w: global m with row weights; sketches and head-tail 5 "
        "times smaller."
    )


FIGURE = Figure(
    "pairings", "Pairs of stores that train, and that diverge", ("pairings",), draw, caption
)
