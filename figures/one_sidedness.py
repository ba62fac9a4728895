"""How often count-min estimates fall below the truth, by the form of decay (theory §7)."""

from figures.common import style
from figures.common.figure import Figure

FORMS = {
    "lazy (Algorithm 4)": "lazy",
    "bucket (released)": "bucket",
    "global": "global",
    "conservative": "conservative",
}


def draw(promised, printed):
    runs = [*printed.curves["runs"], *promised.curves["runs"]]
    betas = promised.configuration["size"]["betas"]
    page, axes = style.panels(2.5)
    for shift, (form, look) in enumerate(FORMS.items()):
        points = [
            (betas.index(run["settings"]["beta"]) + 0.16 * (shift - 1.5), _share(run))
            for run in runs
            if run["settings"]["form"] == form
        ]
        axes.plot(*zip(*points), label=form, **style.FORMS[look].points())
    axes.set(xlabel="decay β of the second moment", ylabel="estimates below\nthe truth, %")
    axes.set_xticks(range(len(betas)), [f"{beta:g}" for beta in betas])
    axes.grid(axis="x", visible=False)
    style.legend_above(page, axes, 2)
    return page


def _share(run):
    return 100 * run["below"] / run["seen"]


def caption(promised, printed):
    size = printed.configuration["size"]
    return (
        "Share of count-min estimates below the exact second moment along runs of RMSprop, one "
        f"point a run (n = {size['n']:,}, w = {', '.join(map(str, size['widths']))}, depth 3, "
        f"{', '.join(f'{share:.0%}' for share in size['touched'])} of the rows touched in each of "
        f"{size['steps']:,} steps). Global decay and the conservative update never fall below; "
        "Algorithm 4 as printed and the released kernels do."
    )


FIGURE = Figure(
    "one-sidedness",
    "Estimates below the truth",
    ("count-min-one-sided", "count-min-one-sided-lazy"),
    draw,
    caption,
)
