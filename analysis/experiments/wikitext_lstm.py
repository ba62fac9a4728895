"""The paper's Wikitext-2 experiments, Tables 3 and 4, in the set-up of its released code.

An LSTM language model in PyTorch of which only the embedding's state is sketched
(`analysis.training.wikitext`). Validation perplexity after every epoch, test perplexity with the
parameters of the best one.
"""

from pathlib import Path

import sketchlab as sl
from analysis.lab.study import Table
from analysis.theory.published import perplexity_to_exact
from analysis.training import comparison, wikitext
from analysis.training.curves import mean_curve, on_the_way
from analysis.training.variants import (
    BY_NAME,
    COMPRESSION,
    DEPTH,
    FACTORISED,
    LINEAR,
    WEIGHTED,
    WITHOUT_M,
    Variant,
    shrunken,
)

VARIANTS = (
    BY_NAME["Adam exact (lazy)"],
    BY_NAME["Adam CS-MV (paper: lazy)"],
    BY_NAME["Adam CS-MV (released code: bucket)"],
    BY_NAME["Adam CS-MV (linear: global)"],
    WEIGHTED,
    shrunken(5),
    shrunken(20),
    BY_NAME["Adam CS-V (paper: lazy)"],
    FACTORISED,
    *WITHOUT_M,
    BY_NAME["Momentum exact (lazy)"],
    BY_NAME["Momentum CS (paper: lazy)"],
    *(
        Variant(
            "Momentum",
            "CS",
            f"{LINEAR}: shrunken, {compression}x",
            m=sl.CountSketch(compression=compression, depth=DEPTH, shrink=True),
        )
        for compression in (5, 20)
    ),
    Variant("Momentum", "no M", "SGD"),
)
_TABLES = {"Momentum": "3", "Adam": "4"}

_SMALL = {"dim": 64, "width": 64, "layers": 1, "dropout": 0.2, "device": "cpu"}
_NEAR = {"Momentum": 2.5, "Adam": 4e-3}  # where the best rates of short runs are

#: The full version is what two cores train in two hours: a step of 20 x 35 words takes 80 to 100
#: ms at a vocabulary of 10,000, nearly all of it in the decoder. One layer, since two of 64 units
#: need 300 to 500 steps of Adam before they predict better than frequencies do.
SIZES = {
    "full": {
        **_SMALL,
        "words": {"vocabulary": 10_000, "train": 200_000, "validation": 20_000, "test": 40_000},
        "base_rates": _NEAR,
        "epochs": 8,
        "sweep_epochs": 3,
        "cuts": 4,
        "tries": 3,
        "replicates": 3,
    },
    "quick": {
        **_SMALL,
        "words": {"vocabulary": 3_000, "train": 40_000, "validation": 6_000, "test": 10_000},
        "base_rates": _NEAR | {"Adam": 1.6e-2},
        "epochs": 4,
        "sweep_epochs": 2,
        "cuts": 4,
        "tries": 3,
        "replicates": 3,
    },
    "paper": {
        "layers": 2,
        "dim": 672,
        "width": 672,
        "dropout": 0.5,
        "device": "cuda",
        "words": {"vocabulary": None, "train": None, "validation": None, "test": None},
        "base_rates": wikitext.BASE_RATES,
        "epochs": 40,
        "sweep_epochs": 10,
        "cuts": None,
        "tries": 3,
        "replicates": 3,
    },
}


def _common(options):
    options.refuse_steps("wikitext-lstm")
    size = SIZES[options.mode] | {"words": _words(options)}
    return {
        "words": size["words"],
        "base_rates": size["base_rates"],
        "device": wikitext.device(size["device"]),
        "common": wikitext.constants(size, options.corpus),
    }


def _words(options):
    """What is kept of the text: a folder's own vocabulary, but for the quick version."""
    words = SIZES[options.mode]["words"]
    if options.mode == "full" and options.corpus and Path(options.corpus).is_dir():
        return words | {"vocabulary": None}
    return words


def _more(_, results):
    whole = [run for run in results if not run["diverged"]]
    return {
        "curve": mean_curve([run["curve"] for run in whole]),
        "best_epochs": [_best_epoch(run["curve"]) for run in whole],
    }


def _best_epoch(curve):
    seen = [point for point in zip(curve["perplexity"], curve["epoch"]) if point[0] is not None]
    return min(seen)[1]


def present(configuration, summary):
    """Return the table of perplexities, with the paper's beside them."""
    common, text = configuration["common"], configuration["common"]["corpus"]
    notes = [
        f"{configuration['replicates']} seeds, up to {configuration['epochs']} epochs; "
        f"{text['name']}: {text['train']:,} words to train on, {text['validation']:,} and "
        f"{text['test']:,} to validate and test with, vocabulary {text['vocabulary']:,}; "
        f"{configuration['layers']} LSTM layers of {configuration['width']}, dropout "
        f"{configuration['dropout']}, batches of {common['batch']} × {common['segment']} words, "
        "full softmax. The paper: Wikitext-2, 2,088,628 words and vocabulary 33,278, 2 layers of "
        "672, dropout 0.5, 40 epochs.",
        f"Only the embedding is kept as a row says (sketches {COMPRESSION}x smaller unless it says "
        f"more, depth {DEPTH}), and only its state is counted; decoder and LSTM have exact state "
        "of the same family in every row. No M: the embedding has no first moment (RMSprop; SGD at "
        "the rate that momentum comes to).",
        f"The rate is divided by {wikitext.CUT:g} after every epoch that is no better on "
        f"validation text{_end(configuration)}. Test: with the parameters of the best epoch.",
        "Validation: perplexity after a fifth of the epochs, half of them and the best. To exact: "
        "test perplexity against the family's exact (lazy) state; paper: the same of its tables "
        "(number in brackets), of which Table 3's LR-NMF of the signed momentum has no "
        "counterpart.",
        f"Rates: {configuration['tries']} tries on one seed, {configuration['sweep_epochs']} "
        "epochs each.",
        *comparison.edge_note(summary["rows"]),
    ]
    return Table(EXPERIMENT.title, COLUMNS, [_row(row) for row in summary["rows"]], notes)


COLUMNS = ("optimizer", "state", "form", "first rate", "validation", "best epoch")
COLUMNS += ("test perplexity", "to exact", "paper", "state, kB")


def _end(configuration):
    cuts = configuration["cuts"]
    return "" if cuts is None else f"; after {cuts} such epochs a run ends"


def _row(row):
    off = row["score_to_exact"]
    return (
        row["family"],
        row["state"],
        row["form"],
        comparison.rate_text(row),
        on_the_way(row["curve"]),
        ", ".join(map(str, row["best_epochs"])),
        comparison.score_text(row),
        "" if off is None else f"{100 * (off - 1):+.1f} %",
        perplexity_to_exact(_TABLES[row["family"]], row["state"]),
        f"{row['state_bytes'] / 1e3:,.0f}",
    )


EXPERIMENT = comparison.experiment_on(
    wikitext,
    VARIANTS,
    sizes=SIZES,
    common=_common,
    more=_more,
    name="wikitext-lstm",
    title="The paper's Wikitext-2 set-up: LSTM language model whose embedding's state is sketched",
    source="Spring et al. 2019, Tables 3 and 4, in the set-up of the released code",
    duration={"quick": "5 min", "full": "2 h"},
    present=present,
    on_request=True,
)
