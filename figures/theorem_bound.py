"""The convergence bounds beside what runs measure: Theorem 4.1 as printed, and the mended ones."""

from figures.common import style
from figures.common.figure import Figure

MENDED = {
    "theorem-any-stream": ("mended, linear sketch", style.Look(style.BLUE, "^", "-")),
    "theorem-conservative": ("mended, conservative", style.Look(style.GREEN, "v", "-")),
}
PRINTED = style.Look(style.VERMILION, "s", "-")


def draw(printed, *mended):
    page, (left, right) = style.panels(2.7, columns=2)
    for study in mended:
        label, look = MENDED[study.name]
        left.plot(*zip(*_pairs(study)), label=label, alpha=0.8, **look.points())
    cells = sorted(printed.curves["cells"], key=lambda cell: cell["spread"])
    spreads = [cell["spread"] for cell in cells]
    for bound, look, label in (
        ("printed", PRINTED, "Theorem 4.1 as printed"),
        ("proved", MENDED["theorem-any-stream"][1], None),
    ):
        ratios = [cell[bound] / cell["mean"] for cell in cells]
        right.plot(spreads, ratios, label=label, alpha=0.8, **look.points())
    right.axhline(1, color=style.BLACK, linewidth=0.8)
    right.set(xscale="log", yscale="log", xlabel="ε₁n = e·n/w", ylabel="bound over measured")
    left.set(xscale="log", yscale="log", xlabel="measured mean ‖∇f‖²", ylabel="its bound")
    ends = left.get_xlim()
    left.plot(ends, ends, color=style.BLACK, linewidth=0.8)
    left.fill_between(ends, [ends[0] / 2] * 2, ends, color="#eeeeee", zorder=0)
    left.set(xlim=ends, ylim=(ends[0] / 2, None))
    left.text(0.97, 0.03, "refuted", transform=left.transAxes, ha="right", color=style.GREY)
    low, high = right.get_ylim()
    right.axhspan(low, 1, color="#eeeeee", zorder=0)
    right.set_ylim(low, high)
    right.text(0.97, 0.03, "refuted", transform=right.transAxes, ha="right", color=style.GREY)
    style.plain_ticks(left.xaxis, most=3)
    for axes in (left, right):
        axes.xaxis.label.set_size(7)
    handles = [*left.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    labels = [handle.get_label() for handle in handles]
    page.legend(handles, labels, loc="outside upper center", ncols=1)
    return page


def _pairs(study):
    for cell in study.curves["cells"]:
        yield from zip(cell["means"], cell["bounds"])


def caption(printed, *mended):
    size, own = printed.configuration["size"], mended[0].configuration["size"]
    return (
        "Left: the smallest proved bound on mean ‖∇f‖² of sketched RMSprop against what runs "
        f"measured (n = {own['n']:,}, widths {_listed(own['widths'])}, with and without noise and "
        f"rows left out; means of {own['draws']} draws of hash functions): all above the diagonal, "
        "and without noise within a factor of 10 of it. Right: {rows} rows far out on Huber "
        "losses. The bound of Theorem 4.1 with its printed constants falls below what is measured "
        "where the sketch is wide (ε₁n below about ¼), so that it is refuted; the proved one stays "
        "above."
    ).replace("{rows}", " and ".join(map(str, size["rows"])))


def _listed(values):
    return ", ".join(f"{value:,}" for value in values)


FIGURE = Figure(
    name="theorem-bound",
    title="Convergence bounds against measurement",
    needs=("theorem-4-1", *MENDED),
    draw=draw,
    caption=caption,
)
