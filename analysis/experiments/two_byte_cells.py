"""Cells of two bytes against cells of four, in as many bytes: what training is left with.

A sketch of as many bytes has twice as many buckets of two-byte numbers. The exact variable in two
bytes is half as large. Every variant's rate is searched with equal effort.
"""

from dataclasses import replace
from itertools import pairwise

import sketchlab as sl
from analysis.training import comparison, tasks
from analysis.training.variants import BY_NAME, Variant, shrunken

FULL = {
    "language": tasks.SHORT["language"] | {"base_rates": {"Adam": 4e-3, "RMSprop": 4e-3}},
    "mach": tasks.SHORT["mach"],
}
QUICK = {
    "language": FULL["language"] | tasks.QUICK["language"],
    "mach": FULL["mach"] | tasks.QUICK["mach"],
}
SIZES = {
    "full": {"tries": 4, "replicates": 3, "parts": FULL},
    "quick": {"tries": 3, "replicates": 3, "parts": QUICK},
}
TWO_BYTES = "bfloat16"


def _conservative(times):
    store = sl.CountMinSketch(compression=times, conservative=True)
    return Variant("RMSprop", "CMS conservative", f"{times}x", v=store)


_FOUR = (
    BY_NAME["Adam exact (lazy)"],
    BY_NAME["Adam CS-MV (paper: lazy)"],
    shrunken(5),
    shrunken(20),
    BY_NAME["RMSprop exact (lazy)"],
    BY_NAME["RMSprop CMS (paper: lazy)"],
    _conservative(5),
    _conservative(20),
)


def in_two_bytes(variant):
    """The variant with cells of two bytes; a sketch is as large as before."""
    stores = {
        name: replace(store, cells=TWO_BYTES)
        for name, store in (("m", variant.m), ("v", variant.v))
        if store is not None
    }
    return variant._replace(form=f"{variant.form}, 2 bytes", **stores)


def variants(_):
    """The same variants on both tasks, each beside itself in two bytes."""
    both = tuple(kind for variant in _FOUR for kind in (variant, in_two_bytes(variant)))
    return {"language": both, "mach": both}


def _changes(rows_of):
    """The mean in two bytes over that in four, less 1, for each part and variant."""
    found = []
    for part, rows in rows_of.items():
        for four, two in list(pairwise(rows))[::2]:
            known = four["mean"] is not None and two["mean"] is not None
            change = two["mean"] / four["mean"] - 1 if known else None
            found.append({"part": part, "variant": four["variant"], "change": change})
    return {"changes": found}


def _remarks(summary):
    yield "Two bytes instead of four: " + "; ".join(map(_text, summary["changes"])) + "."


def _text(found):
    change = found["change"]
    said = "diverged" if change is None else comparison.change_text(1 + change)
    return f"{found['part']}, {found['variant']}: {said}"


EXPERIMENT = tasks.experiment(
    variants,
    SIZES,
    also=_changes,
    name="two-byte-cells",
    title="Cells of two bytes against cells of four, in as many bytes",
    source="rounding at random after Gupta et al. 2015",
    duration={"quick": "2 min", "full": "25 min"},
    remarks=_remarks,
)
