"""Time of a sparse step on the CPU, by optimizer and by number of rows."""

from figures.common import style
from figures.common.figure import Figure

FORMS = ("lazy", "bucket", "global", "conservative", "exact")
SCALED = "Adam CS-MV lazy"


def draw(study):
    rows = study.summary["rows"]
    compared = [row for row in rows if _shape(row) == _shape(rows[0])][::-1]
    page, (upper, lower) = style.panels(3.7, rows=2, height_ratios=(1.4, 1))
    for place, row in enumerate(compared):
        look = style.FORMS[next((form for form in FORMS if form in row["contender"]), "rank-1")]
        upper.errorbar(row["ms"], place, xerr=_reach([row]), **look.points())
    upper.set_yticks(range(len(compared)), [row["contender"] for row in compared], fontsize=6.5)
    upper.set(xlim=(0, None), xlabel="time of a step, ms")
    upper.set_title("n = {:,}, d = {}, k = {:,}".format(*_shape(rows[0])))
    for look, dim in zip(style.LOOKS[1:], sorted({row["dim"] for row in rows})):
        line = [row for row in rows if row["dim"] == dim and row["contender"] == SCALED]
        line.sort(key=lambda row: row["n"])
        sizes, times = ([row[name] for row in line] for name in ("n", "ms"))
        lower.errorbar(sizes, times, yerr=_reach(line), label=f"d = {dim}", **look.line())
    lower.set(
        xscale="log",
        ylim=(0, None),
        xlabel="rows n of the table",
        ylabel="time of a step, ms",
        title=SCALED,
    )
    lower.legend()
    return page


def _shape(row):
    return row["n"], row["dim"], row["k"]


def _reach(rows):
    """Distances from the medians to the quartiles."""
    low, high = zip(*(row["quartiles_ms"] for row in rows))
    medians = [row["ms"] for row in rows]
    return [
        [median - end for median, end in zip(medians, low)],
        [end - median for median, end in zip(medians, high)],
    ]


def caption(study):
    first = study.configuration["cells"][0]
    copied = study.summary["rows"][0]["copy_gb_per_s"]
    return (
        "Time of a sparse step (n rows, d columns, k active rows): medians and quartiles of "
        f"{first['repeats']} repetitions on {first['threads']} threads, contenders taking turns in "
        f"one process whose copy of memory runs at {copied:.0f} GB/s; sketches 5 times smaller, of "
        "depth 3. Below: the same number of active rows in tables of different sizes, each in a "
        "process of its own."
    )


FIGURE = Figure(
    name="speed",
    title="Time of a step on the CPU",
    needs=("speed",),
    draw=draw,
    caption=caption,
)
