"""Distance of each approximation to the exact variable along one stream (Figure 2)."""

from figures.common import style
from figures.common.figure import Figure
from figures.common.style import FORMS, GREY, LOOKS

TABLES = ("embedding", "softmax")
_SMALL, _LARGE = "-", (0, (4, 1.2))

#: What is drawn of each variable's stores, with colours and lines.
SHOWN = {
    "Momentum's M": {
        "count-sketch, lazy": (FORMS["lazy"].color, _SMALL),
        "count-sketch, lazy, 5x": (FORMS["lazy"].color, _LARGE),
        "count-sketch, global, 5x": (FORMS["global"].color, _LARGE),
        "NMF of signed sums, global": (FORMS["rank-1"].color, ":"),
        "NMF, signs apart": (FORMS["rank-1"].color, _SMALL),
        "ℓ2 rank-1, lazy": (LOOKS[5].color, "-."),
    },
    "Adam's V": {
        "count-min, lazy": (FORMS["lazy"].color, _SMALL),
        "count-min, lazy, 5x": (FORMS["lazy"].color, _LARGE),
        "count-min, conservative": (FORMS["conservative"].color, _SMALL),
        "count-min, conservative, 5x": (FORMS["conservative"].color, _LARGE),
        "NMF, lazy": (FORMS["rank-1"].color, _SMALL),
        "ℓ2 rank-1, lazy": (LOOKS[5].color, "-."),
    },
}


def draw(study):
    page = style.Page(figsize=(style.WIDTH, 5.2))
    for part, (variable, shown) in zip(page.subfigures(len(SHOWN), 1), SHOWN.items()):
        panels = part.subplots(1, len(TABLES))
        for axes, table in zip(panels, TABLES):
            (result,) = _runs(study, variable=variable, table=table)
            _panel(axes, result, shown)
            axes.set(yscale="log", title=f"{table} table", xlabel="step")
            style.plain_ticks(axes.yaxis)
        panels[0].set_ylabel(f"{variable}: ‖x̂ − x‖₂ / ‖x‖₂")
        style.legend_above(part, panels[0], 2)
    return page


def _runs(study, **which):
    fixed = {name: study.configuration[name] for name in ("dim", "steps", "points", "corpus")}
    return study.runs_of(**fixed, **which)


def _panel(axes, result, shown):
    for name, (color, linestyle) in shown.items():
        store = result["stores"][name]
        norms = result["norms"][store["decay"]]
        runs = [[far / norm for far, norm in zip(run, norms)] for run in store["distances"]]
        looks = {"color": color, "linestyle": linestyle, "label": name}
        style.band(axes, result["steps"], runs, **looks)
    axes.axhline(1, color=GREY, label="answering 0")


def caption(study):
    of = study.configuration
    return (
        "ℓ2 distance of each store's answers to the exact variable of the same decay, whole table, "
        "over that variable's norm, while an exact optimizer trains the language model (d = "
        f"{of['dim']}, {of['steps']:,} steps); means and bands, from lowest to highest, of "
        f"{of['draws']} draws of hash functions. Stores have as many numbers as a rank-one "
        "factorisation (rows + columns; “signs apart” twice as many), or 5× fewer than the table "
        "(5x). As in the paper's Figure 2, dividing by the sums of a signed variable (dotted) is "
        "erratic and count-sketch steady. Above the grey line a store of the whole table errs by "
        "more than the variable's own norm."
    )


FIGURE = Figure(
    "approximation-error",
    "Approximation error along a stream of gradients",
    ("approximation-error",),
    draw,
    caption,
)
