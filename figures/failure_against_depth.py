"""How often a point query fails, against the number of rows of the sketch (theory §1)."""

from figures.common import style
from figures.common.figure import Figure

VECTORS = ("flat", "Zipf 0.5", "Zipf 1")
BOUNDS = {"count-sketch": "binomial tail", "count-min": "e^(−v)"}


def draw(study):
    page, panels = style.panels(2.6, columns=2, sharey=True)
    for axes, (kind, bound) in zip(panels, BOUNDS.items()):
        cells = [cell for cell in study.curves["depths"] if cell["kind"] == kind]
        depths = [cell["depth"] for cell in cells]
        axes.plot(depths, [cell["bound"] for cell in cells], color=style.GREY, label="bound")
        for at, (look, name) in enumerate(zip(style.LOOKS[1:], VECTORS)):
            seen = [(cell["depth"], cell["rates"][at]) for cell in cells if cell["rates"][at] > 0]
            axes.plot(*zip(*seen), label=name, **look.line())
        axes.set(yscale="log", title=f"{kind}\n(bound: {bound})", xlabel="depth v, rows")
        axes.set_xticks(depths)
    panels[0].set_ylabel("share of draws that fail")
    style.legend_above(page, panels[0], 4)
    return page


def caption(study):
    size = study.configuration["size"]
    return (
        f"Share of {size['draws']:,} draws of hash functions whose answer errs by more than the "
        f"bound's rate (w = {size['width']}; ε₁ = √(3/w) of ‖x‖₂ for count-sketch, e/w of ‖x‖₁ for "
        f"count-min), last of {size['n']:,} entries. Depths without a failure are left out. The "
        "bound of an even depth is above that of the odd one before it: half of the rows suffice "
        "to spoil the mean of the two middle values."
    )


FIGURE = Figure(
    "failure-against-depth", "Failure probability against depth", ("depth",), draw, caption
)
