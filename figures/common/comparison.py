"""Rows of a comparison of variants — scores of seeds, bytes of state — as dots and as curves."""

from itertools import groupby

from figures.common import style
from figures.common.stores import exact, look_of


def dots(axes, study, rows, label_of, score=float):
    """Draw one line for each row, a dot for each seed, and each family's exact mean in grey.

    Parameters
    ----------
    axes : matplotlib axes
    study : Study
    rows : list of dict
        Of `analysis.training.comparison`, those of a family together.
    label_of : callable
        ``label_of(row)``: the name of a line.
    score : callable
        What is drawn of a score.
    """
    for place, row in enumerate(rows):
        seeds = [score(value) for value in row["scores"] if value is not None]
        axes.plot(seeds, [place] * len(seeds), **look_of(study, row).points())
    first = 0
    for _, family in groupby(rows, key=lambda row: row["family"]):
        family = list(family)
        last = first + len(family) - 1
        mean = next(row["mean"] for row in family if exact(study, row))
        if mean is not None:
            axes.plot([score(mean)] * 2, [first - 0.4, last + 0.4], color=style.GREY, zorder=1)
        axes.axhline(last + 0.5, color="#cccccc", linewidth=0.5)
        first = last + 1
    axes.set_ylim(len(rows) - 0.5, -0.5)
    names = [label_of(row) + _lost(row) for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=6.5)


def _lost(row):
    """What a name is followed by where seeds diverged; `DIVERGED` explains it in a caption."""
    return f" †{row['diverged']}" if row["diverged"] else ""


#: For the caption of a figure of `dots`.
DIVERGED = "†: number of seeds that diverged; they are not drawn."


def curves(axes, study, rows, score=float):
    """Draw mean scores, with deviations, against kB of state: one curve for each kind of store."""
    kept = [row for row in rows if row["mean"] is not None]
    for state, group in groupby(sorted(kept, key=_state), key=_state):
        group = sorted(group, key=lambda row: row["state_bytes"])
        axes.errorbar(
            [row["state_bytes"] / 1e3 for row in group],
            [score(row["mean"]) for row in group],
            yerr=[row["std"] or 0 for row in group],
            label=state,
            **look_of(study, group[0]).line(),
        )


def _state(row):
    return row["state"]
