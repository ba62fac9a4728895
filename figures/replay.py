"""Error of the updates against bytes, for all stores along a recorded stream."""

from figures.common import style
from figures.common.figure import Figure
from figures.common.stores import LOOK_NOTE, look_of_stores


def draw(study):
    rows = [row for row in study.summary["rows"] if row["measure"] is not None]
    ways = {row["way"] for row in rows}
    page, axes = style.panels(2.2 + 0.12 * len(ways))  # the legend has a line for each
    named = {}
    for row in rows:
        look = look_of_stores(row["stores"])
        points = axes.plot(
            row["state_bytes"] / 1e3,
            max(row["measure"], 1e-6),
            **look.points(markerfacecolor=look.color if row["front"] else "white"),
        )
        named.setdefault(row["way"], points[0])
    front = sorted(
        (row["state_bytes"] / 1e3, max(row["measure"], 1e-6)) for row in rows if row["front"]
    )
    axes.plot(*zip(*front), color=style.GREY, linewidth=0.8, zorder=1)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="auxiliary state, kB",
        ylabel="error of the updates, ‖û − u‖/‖u‖",
    )
    style.plain_ticks(axes.xaxis, most=3)
    page.legend(named.values(), named, loc="outside upper center", ncols=1, fontsize=6)
    return page


def caption(study):
    about, rows = study.configuration["stream"], study.summary["rows"]
    front = "; ".join(_name(row) for row in rows if row["front"])
    lost = [_name(row) for row in rows if row["measure"] is None]
    return (
        f"Relative error of the updates of {study.configuration['family']} with each store, "
        "against exact state that decays alike, on the rows that each of "
        f"{about['steps']:,} steps reads, against bytes, for a table of {about['rows']:,} x "
        f"{about['dim']:,}. Full points, joined: no store is as good with as few bytes. From few "
        f"bytes to many: {front}. {LOOK_NOTE}" + (f" Diverged: {'; '.join(lost)}." if lost else "")
    )


def _name(row):
    return row["way"] + ("" if row["compression"] is None else f" {row['compression']:g}x")


ON_REQUEST = Figure(
    "replay", "Error of the updates against bytes, along a stream", ("replay",), draw, caption
)
