"""Without noise: theorem B's bound and the additive one's floor, beside runs (theory §5)."""

from figures.common import style
from figures.common.figure import Figure


def draw(study):
    horizon = study.curves["horizons"][-1]
    means, bounds = ({w: found[-1] for w, found in study.curves[k]} for k in ("means", "bounds"))
    floors = dict(study.curves["bound_floors"])
    widths = [width for width in floors if width is not None]
    page, axes = style.panels(2.5)
    for label, values, look in (
        ("floor of the additive bound", floors, style.FORMS["lazy"]),
        (f"theorem B at T = {horizon:,}", bounds, style.FORMS["global"]),
        (f"measured mean at T = {horizon:,}", means, style.FORMS["exact"]),
    ):
        axes.plot(widths, [values[width] for width in widths], **look.line(label=label))
    axes.set(xscale="log", yscale="log", xlabel="width w of the sketch, buckets")
    axes.set_ylabel("mean ‖∇f‖²")
    axes.set_xticks(widths, [f"{width:,}" for width in widths])
    axes.minorticks_off()
    style.legend_above(page, axes, 1)
    return page


def caption(study):
    size = study.configuration["size"]
    return (
        f"RMSprop with a linear count-min v on {size['n']:,} rows without noise, at the largest "
        "steps that the conditions allow. The additive bound has a term that does not fall with T; "
        "runs are far below it, and theorem B, which has no such term, follows them within a "
        f"factor of 10. Means of {size['draws']} draws of hash functions."
    )


FIGURE = Figure(
    "noise-free-floor",
    "The floor without noise, against the width",
    ("noise-free-floor",),
    draw,
    caption,
)
