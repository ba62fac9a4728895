"""What colliding bursts leave of a gradient, linear, conservative and exact (theory §5)."""

from figures.common import style
from figures.common.figure import Figure

FORMS = {"linear": "global", "conservative": "conservative", "exact": "exact"}


def draw(study):
    loads, means = study.curves["loads"], study.curves["means"]
    page, axes = style.panels(2.4)
    rare = [study.curves["rare"][str(load)] for load in loads]
    axes.plot(
        loads, rare, color=style.GREY, linewidth=0.8, label="linear, bursts so rare that v̂ fades"
    )
    for form, look in FORMS.items():
        left = [means[str(load)][form] for load in loads]
        axes.plot(loads, left, **style.FORMS[look].line(label=form))
    axes.set(xscale="log", ylim=(0, 1), xlabel="rows that burst together with row 0, K")
    axes.set_ylabel("gradient left, share of\nburst × probability")
    axes.set_xticks(loads, [f"{load:,}" for load in loads])
    axes.minorticks_off()
    style.legend_above(page, axes, 2)
    return page


def caption(study):
    size = study.configuration["size"]
    return (
        "Where RMSprop comes to rest when a row's helpful gradient comes in rare bursts, at which "
        "K rows of the same bucket get large gradients of mean 0: the gradient that is left, as a "
        f"share of burst × probability; means of {size['columns']} replicates over the second half "
        f"of {size['steps']:,} steps. Under the linear sketch it grows with K towards all of it; "
        "the conservative update stays with exact RMSprop (both curves coincide). Grey: the limit "
        "1 − ε/(√v̂ + ε) for rare bursts."
    )


FIGURE = Figure(
    name="colliding-bursts",
    title="What colliding bursts leave of a gradient",
    needs=("colliding-bursts",),
    draw=draw,
    caption=caption,
)
