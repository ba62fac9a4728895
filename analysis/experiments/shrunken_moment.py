"""A shrunken first moment against the exact one, none at all, and the stores so far (theory §9).

Second moments are conservative count-min sketches, 5 times smaller, where nothing else is said. No
first moment is RMSprop in the place of Adam, and SGD in that of momentum. Every row's rate is
searched with equal effort. What is judged is the distance from the better of exact and none.
"""

import sketchlab as sl
from analysis.training import comparison, tasks
from analysis.training.variants import BY_NAME, WEIGHTED, Variant

FULL = {
    "language": tasks.SHORT["language"]
    | {"base_rates": {"Adam": 4e-3, "RMSprop": 4e-3, "Momentum": 1.0, "SGD": 8.0}},
    "mach": tasks.SHORT["mach"],
    "logistic": {
        "task": "logistic",
        "steps": 2_000,
        "base_rates": {"Adam": 0.12, "RMSprop": 0.12, "Momentum": 16.0, "SGD": 160.0},
    },
    "quadratic": {"task": "quadratic", "steps": 1_000},
}
QUICK = {
    "language": FULL["language"] | tasks.QUICK["language"],
    "mach": FULL["mach"] | tasks.QUICK["mach"],
    "logistic": FULL["logistic"] | {"steps": 200},
    "quadratic": FULL["quadratic"] | {"steps": 100},
}
SIZES = {
    "full": {"tries": 4, "replicates": 3, "parts": FULL},
    "quick": {"tries": 3, "replicates": 3, "parts": QUICK},
}

_WEIGHTED = sl.Dense(decay="global", row_weights=True)
_CLIP = {"clip": "feasible"}
#: The family that has no first moment, of each that has one.
WITHOUT = {"Adam": "RMSprop", "Momentum": "SGD"}
#: Largest distances from the better of exact and none that are asked for, by compression.
ASKED = {5: 0.01, 20: 0.03}


def _sketch(times, **form):
    return sl.CountSketch(compression=times, **form)


def _conservative(times):
    return sl.CountMinSketch(compression=times, conservative=True)


def _heads(tail):
    return sl.HeadTail(head=0.75, tail=tail)


def shrunken(family, times):
    """The variant of a family whose first moment is shrunken, so many times smaller."""
    second = {"v": _conservative(5), "options": _CLIP} if family == "Adam" else {}
    form = f"{times}x, V 5x, clip" if second else f"{times}x"
    return Variant(family, "shrunken M", form, m=_sketch(times, shrink=True), **second)


#: An eighth of exact Adam's bytes and less, in all.
EIGHTH = Variant(
    "Adam", "shrunken M", "20x, V 7x, clip", _sketch(20, shrink=True), _conservative(7), _CLIP
)
_ADAM = (
    BY_NAME["Adam exact (lazy)"],
    Variant("Adam", "exact", "row weights", _WEIGHTED, sl.Dense(decay="global")),
    BY_NAME["RMSprop exact (lazy)"],
    BY_NAME["RMSprop exact (global)"],
    BY_NAME["RMSprop CMS conservative (linear: global)"],
    BY_NAME["Adam CS-MV (paper: lazy)"],
    WEIGHTED,
    *(shrunken("Adam", times) for times in (5, 20, 100)),
    shrunken("Adam", 5)._replace(form="5x, V 5x, no clip", options={}),
    EIGHTH,
    Variant(
        "Adam", "shrunken M, rank-1 V", "20x, clip", _sketch(20, shrink=True), sl.Rank1(), _CLIP
    ),
    Variant(
        "Adam",
        "head-tail M, shrunken tail",
        "5x, V head-tail 5x, clip",
        _heads(_sketch(5, shrink=True)),
        _heads(_conservative(5)),
        _CLIP,
    ),
    Variant("Adam", "8-bit M", "V 5x lazy", sl.Quantized(), BY_NAME["Adam CS-V (paper: lazy)"].v),
)
_MOMENTUM = (
    BY_NAME["Momentum exact (lazy)"],
    Variant("Momentum", "exact", "row weights", m=_WEIGHTED),
    Variant("SGD", "exact", "lazy"),
    BY_NAME["Momentum CS (paper: lazy)"],
    Variant("Momentum", "row-weighted M", "5x", m=WEIGHTED.m),
    *(shrunken("Momentum", times) for times in (5, 20, 100)),
    Variant("Momentum", "head-tail M, shrunken tail", "5x", m=_heads(_sketch(5, shrink=True))),
    Variant("Momentum", "8-bit M", "", m=sl.Quantized()),
)


def variants(_):
    """The variants of every part: MACH is trained by Adam.

    In a table of one column row weights take as much as the exact variable, and so does a number a
    row; what is compared there is quality alone.
    """
    one_column = tuple(v for v in (*_ADAM, *_MOMENTUM) if "rank-1" not in v.state)
    both = (*_ADAM, *_MOMENTUM)
    return {"language": both, "mach": _ADAM, "logistic": one_column, "quadratic": both}


def _judged(rows_of):
    """The better of exact and none for each part and family, and shrunken rows against it."""
    better, judged = {}, []
    for part, rows in rows_of.items():
        better[part] = {family: _better(rows, family) for family in WITHOUT}
        for row in rows:
            if row["family"] in WITHOUT and row["state"].startswith("shrunken"):
                judged.append({"part": part, **_distance(row, better[part][row["family"]])})
    return {"better": better, "judged": judged}


def _better(rows, family):
    """The lowest mean of exact state with a first moment and without; None where there is none."""
    known = [
        row["mean"]
        for row in rows
        if row["family"] in (family, WITHOUT[family])
        and row["state"] == "exact"
        and row["mean"] is not None
    ]
    return min(known, default=None)


def _distance(row, best):
    off = None if best is None or row["mean"] is None else row["mean"] / best - 1
    times = int(row["form"].partition("x")[0])
    return {
        "variant": row["variant"],
        "off": off,
        "asked": ASKED.get(times),
        "exact_to_state": row["exact_to_state"],
        "diverged": row["diverged"],
    }


def _remarks(summary):
    yield (
        "RMSprop and SGD are Adam and momentum without a first moment. To the better of exact and "
        "none: " + "; ".join(map(_judgement, summary["judged"])) + "."
    )


def _judgement(judged):
    if judged["off"] is None:
        return f"{judged['part']}, {judged['variant']}: diverged"
    change = comparison.change_text(1 + judged["off"])
    said = f"{judged['part']}, {judged['variant']}: {change}"
    if judged["asked"] is None:
        return said
    reached = "reached" if judged["off"] <= judged["asked"] else "not reached"
    return f"{said} (asked: {judged['asked']:.0%}, {reached})"


EXPERIMENT = tasks.experiment(
    variants,
    SIZES,
    also=_judged,
    name="shrunken-moment",
    title="A shrunken first moment against exact, none and the stores so far",
    source="after James & Stein 1961; theory §9",
    duration={"quick": "3 min", "full": "50 min"},
    remarks=_remarks,
)
