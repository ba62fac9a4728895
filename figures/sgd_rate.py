"""Whether sketched optimizers keep SGD's rate, T^(−1/2) (theory §5)."""

from figures.common import style
from figures.common.figure import Figure


def draw(study):
    horizons, slopes = study.curves["horizons"], study.curves["slopes"]
    size = study.configuration["size"]
    runs = study.runs_of(**{name: size[name] for name in ("n", "width", "horizons", "columns")})
    page, axes = style.panels(3.1)
    for look, name in zip(style.LOOKS, slopes):
        label = f"{name}: {style.signed(slopes[name][0])}"
        style.band(axes, horizons, [run[name] for run in runs], **look.line(label=label))
    start = 0.7 * min(values[0] for run in runs for values in run.values())
    guide = [start * (horizon / horizons[0]) ** -0.5 for horizon in horizons]
    axes.plot(horizons, guide, color=style.GREY, linewidth=0.8, label="∝ T^(−1/2)")
    axes.set(xscale="log", yscale="log", xlabel="steps T", ylabel="mean ‖∇f‖² over T steps")
    axes.set_xticks(horizons, [f"{horizon:,}" for horizon in horizons])
    axes.minorticks_off()
    style.legend_above(page, axes, 2)
    return page


def caption(study):
    size = study.configuration["size"]
    return (
        "Mean squared gradient norm against the number of steps T, each T a run of its own with η "
        f"and 1−β ∝ T^(−1/2), on a smooth non-convex sum with noise (n = {size['n']}, sketches of "
        f"3 × {size['width']} buckets); means of {size['draws']} draws of data and hash functions, "
        "bands from the lowest to the highest. The legend gives the slopes between the last two "
        "horizons; the claim is −1/2. No theorem covers Adam with a sketched first moment."
    )


FIGURE = Figure("sgd-rate", "The rate of SGD, exact and sketched", ("sgd-rate",), draw, caption)
