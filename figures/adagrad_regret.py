"""Adagrad's regret on convex sparse problems, exact and sketched (theory §6)."""

from figures.common import style
from figures.common.figure import Figure

FORMS = {"exact": "exact", "count-min": "global", "conservative": "conservative"}


def draw(study):
    size, horizons = study.configuration["size"], study.curves["horizons"]
    rates = size["rates"]
    page, panels = style.panels(2.5, columns=len(rates), sharey=True, squeeze=False)
    for axes, rate in zip(panels[0], rates):
        for entry in study.curves["regret"]:
            if entry["rate"] == rate and entry["problem"] == size["problems"][0]:
                look = style.FORMS[FORMS[entry["form"]]]
                axes.plot(
                    horizons, _average(entry["regret"], horizons), **look.line(label=entry["form"])
                )
                bound = look.line(linestyle=":", markersize=2)
                axes.plot(horizons, _average(entry["bound"], horizons), **bound)
        axes.set(xscale="log", yscale="log", title=f"η = {rate}", xlabel="steps T")
        axes.set_xticks(horizons, [f"{horizon:,}" for horizon in horizons], fontsize=6)
        axes.minorticks_off()
    panels[0][0].set_ylabel("average regret")
    style.plain_ticks(panels[0][0].yaxis)
    style.legend_above(page, panels[0][0], 3)
    return page


def _average(values, horizons):
    return [value / horizon for value, horizon in zip(values, horizons)]


def caption(study):
    size = study.configuration["size"]
    return (
        "Average regret ⟨g_t, x_t − x*⟩ of Adagrad after T steps (solid) and its bound (dotted) on "
        f"sparse {size['problems'][0]} with Zipf features (n = {size['n']}, v sketched "
        f"{size['compression']}×), at two learning rates; means of {size['draws']} draws. The "
        "bound holds for every run, exact and sketched; which form has the least regret depends on "
        "the learning rate."
    )


FIGURE = Figure(
    "adagrad-regret",
    "Adagrad's average regret, exact and sketched",
    ("adagrad-regret",),
    draw,
    caption,
)
