"""What a crowded bucket reads: sum, maximum or mean of its rows (theory §7)."""

from figures.common import style
from figures.common.figure import Figure

TITLES = {
    "global": "global: sum",
    "conservative": "conservative: maximum",
    "lazy": "lazy: mean",
}


def draw(study):
    page, axes = style.panels(2.4)
    for form, title in TITLES.items():
        medians = [entry for entry in study.curves["medians"] if entry["form"] == form]
        loads = [entry["load"] for entry in medians]
        runs = zip(*(entry["log2_ratio"] for entry in medians))
        style.band(axes, loads, runs, **style.FORMS[form].line(label=title))
    axes.set(
        xscale="log",
        xlabel="load K, rows a bucket",
        ylabel="median overestimate,\noctaves: log₂(x̂/x)",
        ylim=(0, None),
    )
    axes.set_xticks(loads, loads)
    axes.minorticks_off()
    axes.legend()
    return page


def caption(study):
    size = study.configuration["size"]
    return (
        "Median overestimate of a count-min sketch on a stationary stream that touches every row "
        "at every step, log-normal values: under global decay a bucket tends to the sum of its "
        "rows, under the conservative update to at most their maximum, under lazy decay to about "
        f"their mean (c = {size['keep']:g}). Means, and bands from lowest to highest, of depths "
        f"{', '.join(map(str, size['depths']))} with {size['draws']} draws each."
    )


FIGURE = Figure(
    "load-bias", "Overestimate against the load of a bucket", ("load-bias",), draw, caption
)
