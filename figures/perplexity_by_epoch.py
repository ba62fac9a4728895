"""The Wikitext-2 set-up: perplexity along the epochs, also over exact state's (Tables 3, 4)."""

from analysis.theory.published import PERPLEXITY, TABLES
from figures.common import style
from figures.common.figure import Figure
from figures.common.stores import form_of_store

FAMILIES = ("Adam", "Momentum")
#: The ways to keep the embedding's state, as legends call them.
LOOKS = {
    "exact": style.FORMS["exact"],
    "CS, CS-MV: lazy (paper)": style.FORMS["lazy"],
    "bucket (released)": style.FORMS["bucket"],
    "global (linear)": style.FORMS["global"],
    "M exact, V sketched": style.LOOKS[4],
    "no M": style.LOOKS[7],
    "shrunken M": style.FORMS["shrunken"],
}
_FORMS = {
    "exact": "exact",
    "lazy": "CS, CS-MV: lazy (paper)",
    "bucket": "bucket (released)",
    "global": "global (linear)",
    "shrunken": "shrunken M",
}


def draw(study):
    page, panels = style.panels(4.6, 2, 2, sharex="col", sharey="row")
    named = {}
    for (above, below), family in zip(panels.T, FAMILIES):
        rows = [row for row in study.summary["rows"] if row["family"] == family and row["curve"]]
        exact = next((row for row in rows if kind_of(study, row) == "exact"), None)
        for row in rows:
            kind = kind_of(study, row)
            epochs, means = _curve(row)
            look = LOOKS[kind].line(marker="none", linewidth=0.9)
            above.plot(epochs, means, label=kind, **look)
            if exact is not None:
                base = dict(zip(*_curve(exact)))
                both = [(e, 100 * (m / base[e] - 1)) for e, m in zip(epochs, means) if e in base]
                below.plot(*zip(*both), **look)
        above.set(yscale="log", title=family)
        style.plain_ticks(above.yaxis)
        below.set(xlabel="epochs")
        handles, labels = above.get_legend_handles_labels()
        named |= dict(zip(labels, handles))
    panels[0, 0].set_ylabel("validation perplexity")
    panels[1, 0].set_ylabel("to exact, %")
    page.legend(named.values(), named, loc="outside upper center", ncols=2)
    return page


def kind_of(study, row):
    """Return the way a row keeps the state, a key of `LOOKS`, from its recorded stores."""
    stores = study.stores_of(row)
    first = stores.get("m")
    if first is None:
        return "no M"
    form = form_of_store(first)
    whole = form == "exact" and "v" in stores and form_of_store(stores["v"]) != "exact"
    return "M exact, V sketched" if whole else _FORMS[form]


def _curve(row):
    points = [point for point in row["curve"] if point["mean"] is not None]
    return [point["epoch"] for point in points], [point["mean"] for point in points]


def caption(study):
    of, text = study.configuration, study.configuration["common"]["corpus"]
    published = "; ".join(TABLES[number].sentence(PERPLEXITY) for number in "34")
    return (
        f"Validation perplexity of an LSTM language model ({text['name']}, vocabulary "
        f"{text['vocabulary']:,}, {text['train']:,} words an epoch) whose embedding's state alone "
        f"is kept as the legend says; means of {of['replicates']} seeds, the rates of all chosen "
        "with the same number of tries. Below: the same over exact state's. Ways that differ in "
        f"the second moment or in size look alike. Published (test): {published}."
    )


FIGURE = Figure(
    "perplexity-by-epoch",
    "Perplexity along the epochs in the Wikitext-2 set-up",
    ("wikitext-lstm",),
    draw,
    caption,
    extra="paper",
)
