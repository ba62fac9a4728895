"""Which count-sketch errs least for a signed first moment, as a map (theory §7)."""

from figures.common.figure import Figure
from figures.store_map import draw, losses


def caption(study):
    grid = study.summary["grid"]
    hopeless = sum(min(point["errors"].values()) >= 1 for point in grid) / len(grid)
    return (
        "The count-sketch of the smallest error and that error, the mean of log₂(1 + ‖m̂ − m‖/‖m‖) "
        "in octaves: 1 is what answering 0 costs. By decay c (columns), share p of rows that a "
        "step touches (rows), load K and exponent a of the rows' magnitudes i^(−a). In "
        f"{hopeless:.0%} of the grid no sketch is better than answering 0. {losses(study)}"
    )


FIGURE = Figure(
    "first-moment-map",
    "Which sketch of a first moment errs least",
    ("first-moment-map",),
    draw,
    caption,
)
