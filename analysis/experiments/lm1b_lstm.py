"""The paper's LM1B experiment, Tables 8 and 9, in the set-up of its released code, made small.

An LSTM language model in PyTorch whose embedding and sampled softmax are both sketched
(`analysis.training.lm1b`). Validation perplexity after every epoch, test perplexity at the end.
"""

from functools import partial

from analysis.lab.study import Table
from analysis.theory.published import TABLES, perplexity_to_exact
from analysis.training import comparison, lm1b
from analysis.training.curves import mean_curve, on_the_way
from analysis.training.variants import (
    BY_NAME,
    COMPRESSION,
    DEPTH,
    FACTORISED,
    WEIGHTED,
    WITHOUT_M,
    shrunken,
)

VARIANTS = (
    BY_NAME["Adam exact (lazy)"],
    BY_NAME["Adam CS-MV (paper: lazy)"],
    BY_NAME["Adam CS-MV (released code: bucket)"],
    WEIGHTED,
    shrunken(5),
    shrunken(20),
    BY_NAME["Adam CS-V (paper: lazy)"],
    FACTORISED,
    *WITHOUT_M,
)

#: The full version is cut to what two cores train in an hour; its tries are as long as
#: its runs, since the rate that is best for fewer steps is too high for more.
SIZES = {
    "full": {
        **lm1b.SMALL["full"],
        "words": {"vocabulary": None, "train": 350_000, "validation": 8_000, "test": 20_000},
        "epochs": 5,
        "tries": 4,
        "replicates": 3,
    },
    "quick": {
        **lm1b.SMALL["quick"],
        "words": {"vocabulary": 8_000, "train": 40_000, "validation": 3_000, "test": 6_000},
        "epochs": 5,
        "tries": 3,
        "replicates": 3,
    },
    "paper": {
        "dim": 256,
        "width": 2_048,
        "device": "cuda",
        "words": {"vocabulary": None, "train": None, "validation": None, "test": None},
        "epochs": 5,
        "tries": 3,
        "replicates": 3,
    },
}


def _more(_, results):
    whole = [run for run in results if not run["diverged"]]
    return {
        "curve": mean_curve([run["curve"] for run in whole]),
        "steps": max((run["steps"] for run in whole), default=None),
        "active_rows": whole[0]["active_rows"] if whole else None,
    }


def present(configuration, summary):
    """Return the table of perplexities, with the paper's beside them."""
    rows = summary["rows"]
    notes = [
        f"{configuration['replicates']} seeds, {configuration['epochs']} epochs.",
        *lm1b.about(configuration),
        *_activity(configuration, rows),
        f"Sketches of both tables: {COMPRESSION}x smaller unless a row says more, depth {DEPTH}; "
        "the LSTM has Adam's exact state in every row. State: of all parts. No M: the tables have "
        "no first moment (RMSprop).",
        "Validation: perplexity after a fifth of the epochs, half of them and the best. To exact: "
        "test perplexity against exact (lazy) state; paper: the same of Table 9, whose vocabulary "
        f"is {lm1b.VOCABULARY:,}. {TABLES['8'].sentence('memory, MB')}.",
        f"Rates: {configuration['tries']} tries on one seed, as long as the runs.",
        *comparison.edge_note(rows),
    ]
    return Table(EXPERIMENT.title, COLUMNS, [_row(row) for row in rows], notes)


COLUMNS = ("optimizer", "state", "form", "first rate", "validation", "test perplexity")
COLUMNS += ("to exact", "paper", "state, MB", "ratio")


def _activity(configuration, rows):
    """The note on how many rows a step moves, for a bucket."""
    active = rows[0]["active_rows"]
    if active is not None:
        width = configuration["common"]["corpus"]["vocabulary"] / (COMPRESSION * DEPTH)
        shares = " and ".join(f"{active[name] / width:.2f} ({name})" for name in lm1b.TABLES)
        yield (
            f"Distinct rows that a step moves, for a bucket in each row of a sketch: {shares}; "
            f"{rows[0]['steps']:,} steps."
        )


def _row(row):
    off = row["score_to_exact"]
    return (
        row["family"],
        row["state"],
        row["form"],
        comparison.rate_text(row),
        on_the_way(row["curve"]),
        comparison.score_text(row),
        "" if off is None else f"{100 * (off - 1):+.1f} %",
        perplexity_to_exact("9", row["state"]),
        f"{row['state_bytes'] / 1e6:,.2f}",
        f"{row['exact_to_state']:.1f}",
    )


EXPERIMENT = comparison.experiment_on(
    lm1b,
    VARIANTS,
    sizes=SIZES,
    common=partial(lm1b.asked, "lm1b-lstm", SIZES),
    more=_more,
    name="lm1b-lstm",
    title="The paper's LM1B set-up: LSTM language model, embedding and sampled softmax sketched",
    source="Spring et al. 2019, Tables 8 and 9, in the set-up of the released code",
    duration={"quick": "5 min", "full": "1 h"},
    present=present,
    on_request=True,
)
