"""The convergence bounds beside what runs measure: Theorem 4.1 as printed, and the mended ones."""

from figures.common import style
from figures.common.figure import Figure

SERIES = {
    "theorem-4-1": ("Theorem 4.1 as printed", style.Look(style.VERMILION, "s", "-")),
    "theorem-any-stream": ("mended, linear sketch", style.Look(style.BLUE, "^", "-")),
    "theorem-conservative": ("mended, conservative", style.Look(style.GREEN, "v", "-")),
}


def draw(*studies):
    page, axes = style.panels(2.7)
    for study in studies:
        label, look = SERIES[study.name]
        pairs = list(_pairs(study))
        axes.plot(*zip(*pairs), label=label, alpha=0.8, **look.points())
    axes.set(xscale="log", yscale="log", xlabel="measured mean ‖∇f‖²", ylabel="its bound")
    ends = axes.get_xlim()
    axes.plot(ends, ends, color=style.BLACK, linewidth=0.8, label="bound = measured")
    axes.fill_between(ends, [ends[0] / 2] * 2, ends, color="#eeeeee", zorder=0)
    axes.set(xlim=ends, ylim=(ends[0] / 2, None))
    axes.text(0.97, 0.03, "refuted", transform=axes.transAxes, ha="right", color=style.GREY)
    style.legend_above(page, axes, 2)
    return page


def _pairs(study):
    for cell in study.curves["cells"]:
        yield from zip(cell["means"], cell["bounds"])


def caption(*studies):
    sizes = "; ".join(
        f"{SERIES[study.name][0]}: n = {size['n']:,}, w = {_listed(size['widths'])}, "
        f"T = {_listed(size['horizons'])}, noise {_listed(size['noises'])}, {size['draws']} draws "
        "of hash functions"
        for study in studies
        for size in [study.configuration["size"]]
    )
    return (
        "Bounds on the mean squared gradient norm of sketched RMSprop against what runs measured "
        "(f = Σ x²/(1+x²); one point for each width, noise, touch rate and T, a mean over hash "
        "functions and replicates). Every point lies above the diagonal: the bounds hold, and are "
        f"loose by the vertical distance. {sizes}."
    )


def _listed(values):
    return ", ".join(f"{value:,}" for value in values)


FIGURE = Figure(
    "theorem-bound", "Convergence bounds against measurement", tuple(SERIES), draw, caption
)
