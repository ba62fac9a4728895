"""How point-query errors fall as a sketch widens (theory §1)."""

from figures.common import style
from figures.common.figure import Figure

LAWS = {"count-sketch": (1.0, 1.5, 2.0), "count-min": (1.5, 2.0)}
RATES = {"count-sketch": "w^(−1/2)", "count-min": "w^(−1)"}


def draw(study):
    size, runs = study.configuration["size"], study.curves["runs"]
    slopes = {(s["kind"], s["exponent"]): s["slope"][0] for s in study.curves["slopes"]}
    page, panels = style.panels(2.9, columns=2, sharey=True)
    for number, (axes, kind) in enumerate(zip(panels, LAWS)):
        mine = runs[number * size["groups"] : (number + 1) * size["groups"]]
        flat = [run["flat"] for run in mine]
        laws = [[[at[law] for at in run["laws"]] for run in mine] for law in range(len(LAWS[kind]))]
        for look, exponent, curves in zip(style.LOOKS, (0, *LAWS[kind]), (flat, *laws)):
            label = f"{exponent:g}: {style.signed(slopes[kind, exponent])}"
            style.band(axes, size["widths"], curves, **look.line(label=label))
        axes.set(
            xscale="log",
            yscale="log",
            title=f"{kind}\n(claim: {RATES[kind]})",
            xlabel="width w, buckets",
        )
        axes.set_xticks(size["widths"], size["widths"])
        axes.minorticks_off()
        axes.legend(title="a: slope", title_fontsize=6.5, loc="lower left")
    low, high = panels[0].get_ylim()
    panels[0].set_ylim(low / 300, high)  # room for the legends
    panels[0].set_ylabel("mean error |x̂ − x|")
    return page


def caption(study):
    size = study.configuration["size"]
    return (
        f"Mean error of a sketch of {size['n']:,} numbers against its width: one row of buckets "
        "and no heavy entries (a = 0: equal numbers for count-min, normal ones for count-sketch), "
        f"three rows and x_i = i^(−a). Means of {size['groups']} groups of hash functions, bands "
        "from the lowest group to the highest; legends give a and the measured slope."
    )


FIGURE = Figure(
    "error-against-width",
    "Error of a point query against the width",
    ("graceful-width",),
    draw,
    caption,
)
