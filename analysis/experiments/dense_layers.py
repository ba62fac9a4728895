"""Sketches of the state of dense layers: single weights or short blocks of them share buckets.

A perceptron on handwritten digits (`analysis.training.digits`), every step dense. The learning
rate of every variant is chosen with the same effort (`analysis.training.comparison`).
"""

from typing import NamedTuple

import sketchlab as sl
from analysis.lab.study import Table
from analysis.problems import digits as data
from analysis.training import comparison, digits
from analysis.training.variants import Variant

DEPTH = 3
ELEMENT, BLOCK = 1, 8
SIZES = {
    "full": {"epochs": 6, "tries": 4, "replicates": 3},
    "quick": {"epochs": 2, "tries": 3, "replicates": 3},
}
EXACT = sl.Dense(decay="lazy")


class View(NamedTuple):
    """A variant, and how many neighbouring weights make a row of its stores (None: all)."""

    variant: Variant
    block: int | None


def _cms(compression, decay):
    if decay == "conservative":
        return sl.CountMinSketch(None, DEPTH, compression, conservative=True)
    return sl.CountMinSketch(None, DEPTH, compression, decay)


def _cs(compression, decay):
    return sl.CountSketch(None, DEPTH, compression, decay)


def _form(block, compression, decay):
    unit = "element-wise" if block == 1 else f"blocks of {block}"
    return f"{unit}, {compression}x, {decay}"


def _rmsprop(block, compression, decay):
    form = _form(block, compression, decay)
    return View(Variant("RMSprop", "CMS", form, v=_cms(compression, decay)), block)


def _cs_mv(block, compression, decay):
    form = _form(block, compression, decay)
    m, v = _cs(compression, decay), _cms(compression, decay)
    return View(Variant("Adam", "CS-MV", form, m=m, v=v), block)


def _cs_v(block, compression, decay):
    form = _form(block, compression, decay)
    return View(Variant("Adam", "CS-V", form, m=EXACT, v=_cms(compression, decay)), block)


RANK_1 = sl.Rank1(decay="global")
VIEWS = (
    View(Variant("Momentum", "exact", "lazy", m=EXACT), None),
    View(Variant("Momentum", "CS", _form(ELEMENT, 5, "lazy"), m=_cs(5, "lazy")), ELEMENT),
    View(Variant("RMSprop", "exact", "lazy", v=EXACT), None),
    *(
        _rmsprop(block, compression, decay)
        for block in (ELEMENT, BLOCK)
        for compression in (5, 20)
        for decay in ("lazy", "global", "conservative")
    ),
    View(Variant("RMSprop", "NMF rank-1", "rows and columns", v=RANK_1), None),
    View(Variant("Adam", "exact", "lazy", m=EXACT, v=EXACT), None),
    _cs_v(ELEMENT, 5, "lazy"),
    _cs_v(ELEMENT, 20, "lazy"),
    _cs_mv(ELEMENT, 5, "lazy"),
    _cs_mv(ELEMENT, 5, "global"),
    _cs_mv(BLOCK, 5, "lazy"),
    View(Variant("Adam", "NMF rank-1 V", "rows and columns", m=EXACT, v=RANK_1), None),
)
_BLOCKS = {view.variant.name: view.block for view in VIEWS}


def _settings(configuration, variant, learning_rate, replicate):
    block = _BLOCKS[variant.name]
    return digits.settings(configuration, variant, block, learning_rate, replicate)


def present(configuration, summary):
    """Return the table of test accuracies."""
    share = f"{data.SPLITS['test']:.0%}"
    notes = [
        f"{configuration['replicates']} seeds, {configuration['epochs']} epochs in batches of "
        f"{digits.BATCH}; perceptron {'-'.join(map(str, digits.LAYERS))}; accuracy on {share} of "
        f"{configuration['samples']:,} digits, dealt anew for every seed.",
        "State: of the weight matrices; ratio: the family's exact state over this one's. Sketches "
        f"have depth {DEPTH}.",
        *comparison.edge_note(summary["rows"]),
    ]
    return Table(
        EXPERIMENT.title,
        ("optimizer", "state", "form", "first rate", "test accuracy, %", "state, bytes", "ratio"),
        [_row(row) for row in summary["rows"]],
        notes,
    )


def _row(row):
    return (
        row["family"],
        row["state"],
        row["form"],
        comparison.rate_text(row),
        comparison.score_text(comparison.accuracy_row(row)),
        f"{row['state_bytes']:,}",
        f"{row['exact_to_state']:.1f}",
    )


EXPERIMENT = comparison.experiment_on(
    digits,
    [view.variant for view in VIEWS],
    settings=_settings,
    sizes=SIZES,
    common=lambda _: {"samples": len(data.load().labels)},
    name="dense-layers",
    title="Element-wise and blocked sketches of dense layers: accuracy against optimizer state",
    source="Spring et al. 2019, Table 5, on handwritten digits and a small perceptron",
    duration={"quick": "30 s", "full": "2 min"},
    on_request=True,
    present=present,
)
