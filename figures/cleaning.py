"""Cleaning a count-min V or not: accuracy per epoch, error per iteration (Figure 3)."""

from figures.common import style
from figures.common.figure import Figure
from figures.common.stores import form_of
from figures.common.style import BLUE, GREEN, LOOKS

#: What the paper cleaned with: factor and steps.
PAPER = {"Adagrad": [0.5, 125], "Adam": [0.2, 125]}
_DASHED = (0, (3, 1))
LOOKS_OF = {
    ("exact", False): LOOKS[0],
    ("exact", True): LOOKS[0]._replace(linestyle=_DASHED),
    ("lazy", False): LOOKS[1]._replace(linestyle="-"),
    ("lazy", True): LOOKS[1]._replace(linestyle=_DASHED),
    ("global", True): LOOKS[2]._replace(color=BLUE, linestyle=_DASHED),
    ("conservative", False): LOOKS[3]._replace(color=GREEN, linestyle="-"),
}


def draw(study):
    every = study.summary["every"]
    page, panels = style.panels(3.9, 2, len(PAPER))
    for column, (family, clean) in zip(panels.T, PAPER.items()):
        for row in study.summary["rows"]:
            look = LOOKS_OF.get((form_of(study, row), row["clean"] is not None))
            if row["family"] == family and look and row["clean"] in (None, clean):
                _band(column[0], row["accuracies"], 1, 100, look, _label(row))
                _band(column[1], row["errors"], every, 1, look, None)
        column[0].set(title=family, xlabel="epoch")
        column[1].set(xlabel="step", ylim=(0, None))
    panels[0][0].set_ylabel("test accuracy, %")
    panels[1][0].set_ylabel("error of V, ‖v̂ − v‖₂/‖v‖₂")
    style.legend_above(page, panels[0][1], 2)
    return page


def _name(row):
    plain = row["update"] in ("lazy", "no decay") or row["state"] == "exact"
    return row["state"] if plain else f"{row['state']} {row['update']}"


def _label(row):
    return _name(row) + ("" if row["clean"] is None else ", cleaned")


def _band(axes, curves, apart, scale, look, label):
    places = [at for at, value in enumerate(curves["mean"]) if value is not None]
    x = [apart * (at + 1) for at in places]
    low, mean, high = ([scale * curves[of][at] for at in places] for of in ("low", "mean", "high"))
    axes.plot(x, mean, label=label, **look.line(marker="none"))
    axes.fill_between(x, low, high, color=look.color, alpha=0.15, lw=0)


def caption(study):
    of = study.configuration
    gains = "; ".join(
        f"{gain['variant']} {100 * gain['gain']:+.1f} ({gain['helps']})"
        for gain in study.summary["gains"]
        if gain["gain"] is not None
    )
    used = ", ".join(f"{family} α = {a:g}, C = {c}" for family, (a, c) in PAPER.items())
    return (
        f"A classifier of {of['task']['classes']:,} Zipf-distributed classes: accuracy after each "
        "epoch, and the distance of V to the exact, uncleaned one over its norm, with and without "
        f"cleaning as in the paper's Figure 3 ({used}); means of {of['replicates']} seeds, bands "
        "from lowest to highest, learning rates chosen with the same effort. Gain in accuracy by "
        f"cleaning, in percent, and whether its 95 % interval is above zero: {gains}."
    )


FIGURE = Figure("cleaning", "Cleaning a count-min sketch", ("cleaning",), draw, caption)
