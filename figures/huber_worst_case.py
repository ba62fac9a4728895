"""The convergence bounds attained: K rows far out on a Huber loss in one bucket (theory §5)."""

from figures.common import style
from figures.common.figure import Figure

FORMS = {"linear": "global", "conservative": "conservative"}


def draw(study):
    page, axes = style.panels(2.5)
    for form, look in FORMS.items():
        loads, ratios = zip(*_ratios(study, form, "bound"))
        axes.plot(loads, ratios, **style.FORMS[look].line(label=f"its bound, {form}"))
    loads, ratios = zip(*_ratios(study, "linear", "without_sqrt"))
    axes.plot(loads, ratios, **style.FORMS["exact"].line(label="exact RMSprop's bound, linear"))
    axes.axhline(1, color=style.GREY, linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="rows in the bucket, K")
    axes.set_ylabel("bound over measured\nmean ‖∇f‖²")
    axes.set_xticks(loads[::2], [f"{load:,}" for load in loads[::2]])
    axes.minorticks_off()
    style.plain_ticks(axes.yaxis)
    axes.text(loads[0], 0.9, "refuted", va="top", color=style.GREY)
    style.legend_above(page, axes, 1)
    return page


def _ratios(study, form, bound):
    for cell in study.curves["cells"]:
        if cell["settings"]["form"] == form:
            yield cell["settings"]["load"], cell[bound] / cell["mean"]


def caption(study):
    size = study.configuration["size"]
    return (
        "Bound over measured mean ‖∇f‖² of RMSprop on K rows far out on Huber losses, all in one "
        f"bucket (β = {size['beta']}; {size['linear']:,} steps to arrive, {size['times']} times "
        "that in all; no noise, so one run each). The bounds of the linear and the conservative "
        "sketch are attained to a factor of about 2 at every K. Exact RMSprop's bound, which lacks "
        "the factor √K, falls below what the linear sketch does: the √K is real."
    )


FIGURE = Figure(
    name="huber-worst-case",
    title="A worst case that attains the bounds",
    needs=("huber-worst-case",),
    draw=draw,
    caption=caption,
)
