"""Every seed of every variant of the language model (the paper's Tables 3, 4, 6, 7 and 9)."""

from analysis.theory.published import PERPLEXITY, TABLES
from figures.common import style
from figures.common.comparison import DIVERGED, dots
from figures.common.figure import Figure
from figures.common.stores import LOOK_NOTE, label_of


def draw(study):
    rows = study.summary["rows"]
    page, axes = style.panels(0.55 + 0.155 * len(rows))
    axes.set(xscale="log", xlabel="test perplexity")
    dots(axes, study, rows, label_of)
    style.plain_ticks(axes.xaxis)
    return page


def caption(study):
    published = "; ".join(TABLES[number].sentence(PERPLEXITY) for number in "34679")
    return (
        "Test perplexity of the language model, one point for each of "
        f"{study.configuration['replicates']} seeds; grey lines: the mean of the family's exact "
        f"state (lazy). {LOOK_NOTE} {DIVERGED} Sketches are 5 times smaller, of depth 3. "
        f"Published, on larger models and other text: {published}."
    )


FIGURE = Figure(
    "perplexity-by-variant", "Perplexity by variant, every seed", ("language-model",), draw, caption
)
