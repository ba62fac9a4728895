"""Head and tail, row weights and feasible updates, each alone, and how far they carry."""

from figures.common.comparison import DIVERGED
from figures.common.figure import Figure
from figures.common.stores import LOOK_NOTE
from figures.head_tail import ALONE, draw_parts


def draw(study):
    part = _part(study)
    return draw_parts(study, {part: study.summary["parts"][part]})


def _part(study):
    """The part to draw: a quick study does without the parts alone."""
    return ALONE if ALONE in study.summary["parts"] else "language"


def caption(study):
    steps = study.configuration["parts"][_part(study)]["steps"]
    return (
        f"Test perplexity of the language model after {steps:,} steps, every seed; grey line: the "
        "mean of exact state (lazy). HT: head and tail, three quarters of the budget are exact "
        "rows; w: global m with row weights; clip: feasible updates; cons.: conservative v; 2x to "
        f"50x: compression of m. {LOOK_NOTE} {DIVERGED}"
    )


FIGURE = Figure(
    "parts-alone",
    "Head and tail, row weights, feasible updates: each alone",
    ("head-tail",),
    draw,
    caption,
)
