"""Which count-min store errs least, as a map (theory §7: no single winner)."""

from itertools import product

from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.patches import Patch

from figures.common import style
from figures.common.figure import Figure


def draw(study):
    grid = {_place(point): point["errors"] for point in study.summary["grid"]}
    axes_of = {name: study.configuration[name] for name in ("keep", "exponent", "load", "touched")}
    keeps, exponents, loads, rates = axes_of.values()
    stores = list(study.summary["grid"][0]["errors"])
    pale = ListedColormap([_pale(style.FORMS[name].color) for name in stores])
    page, panels = style.panels(
        1.1 + 0.85 * len(rates), len(rates), len(keeps), sharex=True, sharey=True, squeeze=False
    )
    for (row, rate), (column, keep) in product(enumerate(rates), enumerate(keeps)):
        axes = panels[row][column]
        errors = [[grid[load, keep, rate, a] for a in exponents] for load in loads]
        winners = [[min(cell, key=cell.get) for cell in line] for line in errors]
        codes = [[stores.index(winner) for winner in line] for line in winners]
        axes.imshow(codes, cmap=pale, vmin=0, vmax=len(stores) - 1, aspect="auto", origin="lower")
        for (y, line), (x, _) in product(enumerate(winners), enumerate(exponents)):
            best = errors[y][x][line[x]]
            axes.text(x, y, f"{best:.1f}", ha="center", va="center", fontsize=5.5)
        axes.set_xticks(range(len(exponents)), [f"{a:g}" for a in exponents])
        axes.set_yticks(range(len(loads)), loads)
        axes.tick_params(length=0, labelsize=6)
        axes.grid(visible=False)
        if row == 0:
            axes.set_title(f"c = {keep:g}", fontsize=6.5)
        if column == len(keeps) - 1:
            axes.annotate(
                f"p = {rate:g}", (1.04, 0.5), xycoords="axes fraction", rotation=90, va="center"
            )
    page.supxlabel("Zipf exponent a of the rows", fontsize=7.5)
    page.supylabel("load K, rows a bucket", fontsize=7.5)
    page.legend(
        handles=[Patch(color=pale(at), label=name) for at, name in enumerate(stores)],
        loc="outside upper center",
        ncols=len(stores),
    )
    return page


def _place(point):
    return tuple(point[axis] for axis in ("load", "keep", "touched", "exponent"))


def _pale(color):
    return tuple(0.45 + 0.55 * part for part in to_rgb(color))


def caption(study):
    return (
        "The count-min store of the smallest error and that error, the mean of |log₂(x̂/x)| in "
        "octaves, by decay c (columns), share p of rows that a step touches (rows), load K and "
        f"exponent a of the rows' magnitudes i^(−a). {losses(study)}"
    )


def losses(study):
    """What a map fitted to these streams loses on others, against one store for all."""
    summary = study.summary
    always = ", ".join(f"{name} {loss:.2f}" for name, loss in summary["loss_of_always"].items())
    return (
        f"A map fitted to these streams chooses, on {len(summary['held_out'])} others, a store "
        f"within a quarter of an octave of the best in {summary['hits']:.0%}; it loses "
        f"{summary['loss']:.2f} octaves on average (always the same store: {always})."
    )


FIGURE = Figure("store-map", "Which store errs least", ("store-map",), draw, caption)
