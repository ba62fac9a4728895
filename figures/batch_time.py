"""Time of an epoch against batch size: the paper's 38 % (Table 10, abstract)."""

from analysis.theory.published import ABSTRACT_TIME_SAVED, HOURS, TABLES
from figures.common import style
from figures.common.figure import Figure


def draw(study):
    page, axes = style.panels(2.7)
    for look, row in zip(style.LOOKS, study.summary["rows"]):
        batches = [int(batch) for batch in row["epoch_seconds"]]
        times = row["epoch_seconds"].values()
        low, median, high = ([time[of] for time in times] for of in ("low", "median", "high"))
        axes.plot(batches, median, **look.line(label=row["optimizer"]))
        axes.fill_between(batches, low, high, color=look.color, alpha=0.15, lw=0)
    axes.set(xscale="log", yscale="log", xlabel="batch size", ylabel="time of an epoch, s")
    axes.set_xticks(batches, [f"{batch:,}" for batch in batches])
    axes.minorticks_off()
    style.plain_ticks(axes.yaxis)
    style.legend_above(page, axes, 2)
    return page


def caption(study):
    saved = study.summary["saved"]
    return (
        "Processor time, on one thread, of an epoch of MACH on ICD-10-CM; medians, bands from "
        "lowest to highest. From exact Adam in batches of 750 to a sketched second moment in "
        f"batches of 2,600, as in the paper's Table 10, saves {saved['both']:.0%}: the larger "
        f"batch alone {saved['batch alone']:.0%}, the optimizer alone "
        f"{saved['optimizer alone']:.0%}. Published, on GPUs: {ABSTRACT_TIME_SAVED:.0%}; "
        f"{TABLES['10'].sentence(HOURS)}."
    )


FIGURE = Figure("batch-time", "Time of an epoch against batch size", ("batch-time",), draw, caption)
