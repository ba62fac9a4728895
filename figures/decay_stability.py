"""When lazy and bucket decay oscillate, and when they grow (theory §7)."""

from figures.common import style
from figures.common.figure import Figure

# with marker sizes that leave each visible where two agree
DECAYS = {"lazy": 6, "bucket": 4, "global": 4}


def draw(study):
    page, axes = style.panels(2.7)
    for decay, size in DECAYS.items():
        cells = [cell for cell in study.curves["cells"] if cell["settings"]["decay"] == decay]
        points = [point for cell in cells for point in _points(cell)]
        axes.plot(*zip(*points), label=decay, **style.FORMS[decay].points(markersize=size))
    end = axes.get_xlim()[1]
    axes.plot([0, end], [1, 1 - end], color=style.GREY, linewidth=0.8, label="1 − K(1−c)")
    axes.axhspan(-1, 0, color="#f6f0e6", zorder=0)
    axes.axhspan(axes.get_ylim()[0], -1, color="#f3dcd0", zorder=0)
    axes.text(end, -0.03, "changes sign ", ha="right", va="top", color=style.GREY)
    axes.text(end, -1.03, "grows ", ha="right", va="top", color=style.VERMILION)
    axes.set(
        xlim=(0, end),
        xlabel="rows of a bucket × share that decays, K(1−c)",
        ylabel="factor on the bucket, per step",
    )
    style.legend_above(page, axes, 4)
    return page


def _points(cell):
    keep = cell["settings"]["keep"]
    for factors in cell["factors"]:
        yield from ((load * (1 - keep), factor) for load, factor in zip(cell["loads"], factors))


def caption(study):
    keeps = ", ".join(f"{keep:g}" for keep in study.configuration["size"]["keeps"])
    return (
        "Factor by which a step multiplies a bucket that K touched rows share and that receives "
        f"nothing new, for decays c = {keeps}, at loads K around 1/(1−c) and 2/(1−c), count-sketch "
        "and count-min. Past 1/(1−c) rows a lazy or bucket step turns the sign, from 2/(1−c) on it "
        "does not shrink the bucket; global decay multiplies by c."
    )


FIGURE = Figure(
    "decay-stability", "Stability of the ways to decay", ("decay-stability",), draw, caption
)
