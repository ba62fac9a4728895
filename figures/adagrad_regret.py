"""Adagrad's regret on convex sparse problems, exact and sketched (theory §5)."""

from figures.common import style
from figures.common.figure import Figure

FORMS = {"exact": "exact", "count-min": "global", "conservative": "conservative"}


def draw(study):
    size, horizons = study.configuration["size"], study.curves["horizons"]
    page, panels = style.panels(2.5, columns=len(size["problems"]), sharey=True, squeeze=False)
    for axes, problem in zip(panels[0], size["problems"]):
        for entry in study.curves["regret"]:
            if entry["problem"] == problem:
                look = style.FORMS[FORMS[entry["form"]]].line(label=entry["form"])
                style.band(axes, horizons, _runs(study, problem, entry["form"]), **look)
        start = 0.8 * min(e["regret"][0] for e in study.curves["regret"])
        guide = [start * (horizon / horizons[0]) ** -0.5 for horizon in horizons]
        axes.plot(horizons, guide, color=style.GREY, linewidth=0.8, label="∝ T^(−1/2)")
        axes.set(xscale="log", yscale="log", title=problem, xlabel="steps T")
        axes.set_xticks(horizons, [f"{horizon:,}" for horizon in horizons], rotation=30, fontsize=6)
        axes.minorticks_off()
    panels[0][0].set_ylabel("average regret")
    style.plain_ticks(panels[0][0].yaxis)
    style.legend_above(page, panels[0][0], 2)
    return page


def _runs(study, problem, form):
    size = study.configuration["size"]
    fixed = {name: size[name] for name in ("n", "samples", "horizons", "compression")}
    return [run[form] for run in study.runs_of(problem=problem, **fixed)]


def caption(study):
    size = study.configuration["size"]
    slopes = "; ".join(
        f"{entry['problem']}, {entry['form']} {style.signed(entry['slope'][0])}"
        for entry in study.curves["regret"]
    )
    return (
        f"Average regret of Adagrad after T steps on sparse problems with Zipf features (n = "
        f"{size['n']}, v sketched {size['compression']}×); means of {size['draws']} draws, bands "
        f"from lowest to highest. Slopes: {slopes}; the claim is −1/2 or steeper."
    )


FIGURE = Figure(
    "adagrad-regret",
    "Adagrad's average regret, exact and sketched",
    ("adagrad-regret",),
    draw,
    caption,
)
