"""Without noise: the floor of the bound against the width, and the floors of runs (theory §5)."""

from figures.common import style
from figures.common.figure import Figure

KINDS = ("bound_floors", "floors_beyond_conditions")


def draw(study):
    floors, beyond = (dict(study.curves[name]) for name in KINDS)
    widths = [width for width in floors if width is not None]
    page, (upper, lower) = style.panels(3.2, rows=2, sharex=True)
    upper.plot(widths, [floors[width] for width in widths], **style.FORMS["global"].line())
    upper.set(title="floor of the bound (0 if the hash is injective)", ylabel="‖∇f‖²")
    lower.plot(widths, [1e4 * beyond[width] for width in widths], **style.FORMS["lazy"].line())
    lower.axhline(1e4 * beyond[None], color=style.BLACK, label="injective hash")
    lower.legend()
    lower.set(
        title="floor of runs at η ≫ 2ε/L (at small η: none)",
        xlabel="width w of the sketch, buckets",
        ylabel="mean ‖∇f‖², 10⁻⁴",
    )
    for axes in (upper, lower):
        axes.set(xscale="log", yscale="log")
        axes.set_xticks(widths, [f"{width:,}" for width in widths])
        axes.minorticks_off()
        style.plain_ticks(axes.yaxis)
    return page


def caption(study):
    size = study.configuration["size"]
    return (
        f"RMSprop with a linear count-min v on {size['n']:,} rows without noise. Above: the term "
        "of the bound that does not fall with T. Below: where runs stay whose learning rate is "
        "beyond the theorem's conditions; that floor is the learning rate's own, and lower for "
        f"narrower sketches, which shorten steps. Means of {size['draws']} draws of hash "
        "functions. Within the conditions mean ‖∇f‖² falls as 1/T and no run shows a floor."
    )


FIGURE = Figure(
    "noise-free-floor",
    "The floor without noise, against the width",
    ("noise-free-floor",),
    draw,
    caption,
)
