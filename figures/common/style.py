"""One look for all figures: sizes, and the colour, marker and line of every store.

Colours are Okabe & Ito's, which colour-blind readers can tell apart; markers and lines differ as
well, so that a figure can be read in grey.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure as Page
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

#: Width of a page, in inches, and dots an inch.
WIDTH, DPI = 3.3, 220
BLACK, GREY = "#000000", "#8c8c8c"
VERMILION, BLUE, GREEN, PURPLE = "#D55E00", "#0072B2", "#009E73", "#CC79A7"
SKY, ORANGE = "#56B4E9", "#E69F00"
_STYLE = Path(__file__).with_name("house.mplstyle")


class Look(NamedTuple):
    """How one series is drawn."""

    color: str
    marker: str
    linestyle: str

    def line(self, **others):
        """Keywords for `plot` and `errorbar`."""
        return self._asdict() | {"markerfacecolor": "white"} | others

    def points(self, **others):
        """Keywords for points without a line between them."""
        return self.line(linestyle="none", **others)


#: Any number of series, in order.
LOOKS = (
    Look(BLACK, "o", "-"),
    Look(VERMILION, "s", "--"),
    Look(BLUE, "^", "-."),
    Look(GREEN, "v", (0, (5, 1))),
    Look(PURPLE, "D", ":"),
    Look(SKY, "X", (0, (3, 1, 1, 1, 1, 1))),
    Look(ORANGE, "P", (0, (1, 1))),
    Look(GREY, "*", "-"),
)

#: The forms of a store keep their look through all figures.
FORMS = {
    "exact": LOOKS[0],
    "lazy": LOOKS[1],
    "global": LOOKS[2],
    "conservative": LOOKS[3],
    "bucket": LOOKS[6],
    "rank-1": LOOKS[4],
    "head-tail": LOOKS[5],
    "bucket mean": LOOKS[7],
    "shrunken": LOOKS[3]._replace(marker="p"),
    "row-wise": Look(BLACK, ">", "none"),
    "SM3": Look(BLACK, "<", "none"),
    "8 bit": Look(BLACK, "h", "none"),
}


def house():
    """The style, as a context in which figures are made and written."""
    return matplotlib.rc_context({"figure.dpi": DPI, "savefig.dpi": DPI}, fname=_STYLE)


def panels(height, rows=1, columns=1, **options):
    """Return a page of one column's width and its axes: one, or an array where there are more."""
    page = Page(figsize=(WIDTH, height))
    return page, page.subplots(rows, columns, **options)


def legend_above(page, handles_of, columns, **options):
    """Put one legend above all panels, from the series of one of them."""
    handles, labels = handles_of.get_legend_handles_labels()
    page.legend(handles, labels, loc="outside upper center", ncols=columns, **options)


def plain_ticks(axis, most=5):
    """Label a logarithmic axis with plain numbers, at most `most` where it spans little."""
    low, high = axis.get_view_interval()
    if high > 100 * low:
        axis.set_major_locator(LogLocator())
    else:
        decades = LogLocator(subs=(1, 2, 5) if most >= 5 else (1, 3))
        axis.set_major_locator(MaxNLocator(most) if high < 6 * low else decades)
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def signed(value, digits=2):
    """Return a number as text, with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def band(axes, x, runs, **look):
    """Draw the mean of some runs, and a band from the lowest to the highest."""
    columns = list(zip(*runs))
    middle = [sum(values) / len(values) for values in columns]
    axes.plot(x, middle, **look)
    low, high = zip(*((min(values), max(values)) for values in columns))
    axes.fill_between(x, low, high, color=look["color"], alpha=0.15, lw=0)
