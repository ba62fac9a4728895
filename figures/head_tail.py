"""Head and tail, row weights and feasible updates beside exact state and the paper's sketches."""

from figures.common import style
from figures.common.comparison import DIVERGED, dots
from figures.common.figure import Figure
from figures.common.stores import LOOK_NOTE

SCORES = {
    "language": "test perplexity",
    "logistic": "test log loss, nats",
    "mach": "1 − Recall@100",
    "parts alone": "test perplexity",
}
#: The part that is drawn in a figure of its own.
ALONE = "parts alone"


def draw(study):
    parts = study.summary["parts"]
    return draw_parts(study, {name: rows for name, rows in parts.items() if name != ALONE})


def draw_parts(study, parts):
    """Draw one panel for each part: a dict from names to rows of variants."""
    counts = [len(rows) for rows in parts.values()]
    height = 0.55 * len(parts) + 0.145 * sum(counts)
    page, panels = style.panels(height, len(parts), height_ratios=counts, squeeze=False)
    for axes, (part, rows) in zip(panels[:, 0], parts.items()):
        axes.set(xscale="log", xlabel=SCORES[part], title=part)
        dots(axes, study, rows, _label)
        axes.tick_params(axis="y", labelsize=6)
        style.plain_ticks(axes.xaxis)
    return page


def _label(row):
    state = row["state"].replace("head-tail", "HT").replace("conservative", "cons.")
    return f"{row['family']} {state}, {row['form']}"


def caption(study):
    targets = "; ".join(
        f"{target['variant']} {_off(target)} (wanted: at most {target['largest'] - 1:+.0%} at "
        f"1/{target['smaller']:g}): {'holds' if target['holds'] else 'does not hold'}"
        for target in study.summary["targets"]
    )
    return (
        "Test scores (lower is better) of every seed; grey lines: the mean of the family's exact "
        "state (lazy). HT: head and tail, three quarters of the budget are exact rows, the first "
        "ones or those found while running; w: global m with row weights; clip: feasible updates; "
        f"cons.: conservative v. {LOOK_NOTE} {DIVERGED} Perplexity against exact: {targets}."
    )


def _off(target):
    if target["score_to_exact"] is None:
        return "diverged"
    return f"{target['score_to_exact'] - 1:+.1%} at 1/{target['exact_to_state']:.1f} of the bytes"


FIGURE = Figure("head-tail", "Better stores at the paper's budget", ("head-tail",), draw, caption)
