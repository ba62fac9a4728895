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
        panels[0].set_ylabel(f"{variable}: ‖x̂ − x‖₂")
        style.legend_above(part, panels[0], 2)
    return page


def _runs(study, **which):
    fixed = {name: study.configuration[name] for name in ("dim", "steps", "points", "corpus")}
    return study.runs_of(**fixed, **which)


def _panel(axes, result, shown):
    for name, (color, linestyle) in shown.items():
        style.band(
            axes,
            result["steps"],
            result["stores"][name]["distances"],
            color=color,
            linestyle=linestyle,
            label=name,
        )
    axes.plot(
        result["steps"], result["norms"]["lazy"], color=GREY, label="‖x‖₂, the variable's own"
    )


def caption(study):
    of = study.configuration
    return (
        "ℓ2 distance of each store's answers to the exact variable of the same decay, whole table, "
        f"while an exact optimizer trains the language model (d = {of['dim']}, {of['steps']:,} "
        f"steps); means and bands, from lowest to highest, of {of['draws']} draws of hash "
        "functions. Stores have as many numbers as a rank-one factorisation (rows + columns; "
        "“signs apart” twice as many), or 5× fewer than the table (5x). Grey: what a "
        "store errs that answers 0. The paper's Figure 2 shows count-sketch steady and NMF erratic "
        "on the signed momentum, which it is here too where the sums of a signed variable are "
        "divided by (dotted); at equal sizes a count-sketch of so few buckets errs by more than "
        "the variable's norm, and a factorisation that keeps the signs apart by less."
    )


FIGURE = Figure(
    name="approximation-error",
    title="Approximation error along a stream of gradients",
    needs=("approximation-error",),
    draw=draw,
    caption=caption,
)
