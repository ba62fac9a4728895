"""What the bytes of auxiliary state buy, on real text (the paper's Tables 3, 4, 6, 7 and 9)."""

from matplotlib.lines import Line2D

from analysis.theory.published import PERPLEXITY, TABLES
from figures.common import style
from figures.common.figure import Figure
from figures.common.stores import TITLES, form_of

MARKERS = {"Momentum": "s", "Adagrad": "^", "Adam": "o", "RMSprop": "D"}


def draw(study):
    rows = [row for row in study.summary["rows"] if row["mean"] is not None]
    page, axes = style.panels(3.1)
    form = {row["variant"]: form_of(study, row) for row in rows}
    forms = [each for each in TITLES if each in form.values()]
    for row in rows:
        axes.errorbar(
            row["state_bytes"] / 1e6 * _apart(row, rows, form),
            row["mean"],
            yerr=row["std"],
            **style.FORMS[form[row["variant"]]].points(marker=MARKERS[row["family"]]),
        )
    axes.set(xscale="log", yscale="log", xlabel="auxiliary state, MB", ylabel="test perplexity")
    style.plain_ticks(axes.xaxis)
    style.plain_ticks(axes.yaxis)
    families = [family for family in MARKERS if family in {row["family"] for row in rows}]
    page.legend(
        handles=[
            *(_key(style.GREY, MARKERS[family], family) for family in families),
            *(_key(style.FORMS[each].color, "o", TITLES[each]) for each in forms),
        ],
        loc="outside upper center",
        ncols=3,
    )
    return page


def _apart(row, rows, form):
    """A factor near 1 that puts stores of equal size side by side, not on top of each other."""
    peers = {form[one["variant"]] for one in rows if one["state_bytes"] == row["state_bytes"]}
    places = [each for each in TITLES if each in peers]
    return 1.05 ** (places.index(form[row["variant"]]) - (len(places) - 1) / 2)


def _key(color, marker, label):
    return Line2D([], [], color=color, marker=marker, linestyle="none", label=label, mfc="white")


def caption(study):
    common, rows = study.configuration["common"], study.summary["rows"]
    diverged = [row["variant"] for row in rows if row["mean"] is None]
    lost = f" Not shown, since every seed diverged: {', '.join(diverged)}." if diverged else ""
    published = "; ".join(TABLES[number].sentence(PERPLEXITY) for number in "34679")
    return (
        "Test perplexity of a log-bilinear language model against the bytes of optimizer state of "
        f"its two tables ({common['corpus']['vocabulary']:,} words of {common['corpus']['name']}, "
        f"d = {common['dim']}, {study.configuration['steps']:,} steps); mean and standard "
        f"deviation of {study.configuration['replicates']} seeds, learning rates chosen with the "
        f"same number of tries. Shape: optimizer; colour: how its state is kept, stores of equal "
        f"size drawn side by side.{lost} Published, "
        f"on larger models and other text: {published}."
    )


FIGURE = Figure(
    "perplexity-against-bytes",
    "Perplexity against bytes of auxiliary state",
    ("language-model",),
    draw,
    caption,
)
