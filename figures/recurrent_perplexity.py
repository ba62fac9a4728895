"""The recurrent language model: perplexity along the epochs (Tables 3, 4, 6, 7 and 9)."""

from analysis.theory.published import PERPLEXITY, TABLES
from figures.common import style
from figures.common.figure import Figure
from figures.common.stores import form_of, form_of_store

FAMILIES = ("Momentum", "Adagrad", "Adam", "RMSprop")
#: What is drawn alike: title and look by the form of V, or of the only variable.
KINDS = {
    "exact": ("exact", style.FORMS["exact"]),
    "conservative": ("CMS conservative", style.FORMS["conservative"]),
    "rank-1": ("NMF of V", style.FORMS["rank-1"]),
    "lazy": ("CS, CMS or CS-V", style.FORMS["lazy"]),
}
#: Where M is sketched as well.
BOTH = ("CS-MV", style.FORMS["global"])


def draw(study):
    page, panels = style.panels(4.4, 2, 2, sharex=True)
    named = {}
    for axes, family in zip(panels.flat, FAMILIES):
        rows = [row for row in study.summary["rows"] if row["family"] == family and row["curve"]]
        for row in rows:
            sketched = [form_of_store(each) == "lazy" for each in study.stores_of(row).values()]
            title, look = BOTH if sum(sketched) == 2 else KINDS[form_of(study, row)]
            points = [point for point in row["curve"] if point["mean"] is not None]
            epochs, means, stds = ([p[name] for p in points] for name in ("epoch", "mean", "std"))
            axes.plot(epochs, means, label=title, **look.line(marker="none"))
            low = [mean - (std or 0) for mean, std in zip(means, stds)]
            high = [mean + (std or 0) for mean, std in zip(means, stds)]
            axes.fill_between(epochs, low, high, color=look.color, alpha=0.15, lw=0)
        axes.set(yscale="log", title=family)
        style.plain_ticks(axes.yaxis)
        named |= dict(zip(*axes.get_legend_handles_labels()[::-1]))
    for axes in panels[:, 0]:
        axes.set_ylabel("validation perplexity")
    for axes in panels[-1]:
        axes.set_xlabel("epochs")
    page.legend(named.values(), named, loc="outside upper center", ncols=3)
    return page


def caption(study):
    of, common = study.configuration, study.configuration["common"]
    tests = ", ".join(
        f"{row['family']} {row['state']} {row['mean']:.0f}"
        for row in study.summary["rows"]
        if row["mean"] is not None
    )
    published = "; ".join(TABLES[number].sentence(PERPLEXITY) for number in "34679")
    return (
        f"Validation perplexity of an LSTM of {common['width']} units (embedding and softmax of "
        f"{common['corpus']['vocabulary']:,} words, d = {common['dim']}) along its training; mean "
        f"and standard deviation of {of['replicates']} seeds, sketches 5 times smaller. Test "
        f"perplexities: {tests}. Published, on larger models and other text: {published}."
    )


FIGURE = Figure(
    "recurrent-perplexity",
    "Perplexity of an LSTM along the epochs",
    ("recurrent-language-model",),
    draw,
    caption,
)
