"""Time of a sparse step on the CPU against active rows, columns, and rows of the table."""

from figures.common import style
from figures.common.figure import Figure

#: What is drawn, in the order of the legend, and how.
LOOKS = {
    "torch.optim.SparseAdam": style.LOOKS[7],
    "Adam exact": style.FORMS["exact"],
    "Adam CS-MV lazy": style.FORMS["lazy"],
    "Adam CS-MV global": style.FORMS["global"],
    "RMSprop CMS global": style.Look(style.PURPLE, "D", ":"),
}
#: The parts of the benchmark: the size that changes, its name, the sizes that stay.
PANELS = {
    "k": ("k", "active rows k", ("n", "dim")),
    "d": ("dim", "columns d", ("n", "k")),
    "n": ("n", "rows n of the table", ("dim", "k")),
}
SYMBOLS = {"n": "n", "dim": "d", "k": "k"}
DIM = 256  # of the panel for n


def draw(study):
    parts = {part: _lines(study, part, size) for part, (size, *_) in PANELS.items()}
    parts = {part: lines for part, lines in parts.items() if lines}  # some may not fit in memory
    page, panels = style.panels(0.6 + 2 * len(parts), len(parts), squeeze=False)
    for axes, (part, lines) in zip(panels[:, 0], parts.items()):
        size, label, fixed = PANELS[part]
        for name, rows in lines.items():
            _line(axes, [row[size] for row in rows], rows, name)
        first = next(iter(lines.values()))[0]
        still = ", ".join(f"{SYMBOLS[one]} = {first[one]:,}" for one in fixed)
        axes.set(xscale="log", yscale="log", xlabel=label, ylabel="time of a step, ms", title=still)
        if part != "n":
            _proportional(axes, lines, size)
        for axis in (axes.xaxis, axes.yaxis):
            style.plain_ticks(axis)
    style.legend_above(page, panels[0, 0], 2)
    return page


def _lines(study, part, size):
    """The rows of every contender in a part, by size; of one number of columns for n."""
    rows = [row for row in study.summary["rows"] if row["part"] == part]
    if part == "n":
        rows = [row for row in rows if row["dim"] == DIM]
    rows.sort(key=lambda row: row[size])
    lines = {name: [row for row in rows if row["contender"] == name] for name in LOOKS}
    return {name: line for name, line in lines.items() if line}


def _line(axes, sizes, rows, name):
    low, high = zip(*(row["quartiles_ms"] for row in rows))
    axes.plot(sizes, [row["ms"] for row in rows], label=name, **LOOKS[name].line())
    axes.fill_between(sizes, low, high, color=LOOKS[name].color, alpha=0.2, lw=0)


def _proportional(axes, lines, size):
    """A line of slope one below the fastest contender at the largest size."""
    largest = max(row[size] for rows in lines.values() for row in rows)
    ends = [row["ms"] for rows in lines.values() for row in rows if row[size] == largest]
    end, low = 0.6 * min(ends), axes.get_ylim()[0]
    ends = [largest * max(low / end, 1e-9), largest]
    axes.plot(ends, [end * one / largest for one in ends], color=style.GREY, linestyle=(0, (1, 2)))
    axes.set_ylim(bottom=low)
    axes.annotate(
        f"∝ {SYMBOLS[size]}",
        (ends[0] ** 0.5 * ends[1] ** 0.5, end * (ends[0] / ends[1]) ** 0.5),
        xytext=(4, -6),
        textcoords="offset points",
        color=style.GREY,
        fontsize=6.5,
    )


def caption(study):
    configuration, rows = study.configuration, study.summary["rows"]
    copies = [row["copy_gb_per_s"] for row in rows if row["part"] in PANELS]
    return (
        "Time of a sparse step with k active rows of d columns on a table of n rows, in float32: "
        f"medians and quartiles, {configuration['threads']} threads, each step after a copy larger "
        f"than the caches, which runs at {min(copies):.0f} to {max(copies):.0f} GB/s; contenders "
        "of a panel take turns. Sketches are 5 times smaller than exact state, of depth 3. Dotted: "
        "proportional to the size. Exact state is left out where it would take 20 GB and more."
    )


FIGURE = Figure("speed", "Time of a step on the CPU", ("speed",), draw, caption)
