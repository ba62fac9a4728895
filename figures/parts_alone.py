"""Head and tail, row weights and feasible updates, each alone, and how far they carry."""

from figures.common.comparison import DIVERGED
from figures.common.figure import Figure
from figures.head_tail import ALONE, draw_parts


def draw(study):
    parts = study.summary["parts"]
    return draw_parts({ALONE: parts[ALONE]} if ALONE in parts else parts)


def caption(study):
    steps = study.configuration["parts"].get(ALONE, {}).get("steps", 0)
    return (
        f"Test perplexity of the language model after {steps:,} steps, every seed; grey line: the "
        "mean of exact state (lazy). HT: head and tail, three quarters of the budget are exact "
        "rows; w: global m with row weights; clip: feasible updates; cons.: conservative v; 2x to "
        f"50x: compression of m. {DIVERGED}"
    )


FIGURE = Figure(
    name="parts-alone",
    title="Head and tail, row weights, feasible updates: each alone",
    needs=("head-tail",),
    draw=draw,
    caption=caption,
)
