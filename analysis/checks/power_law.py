"""Gradients and V of a real language model follow a power law: their midpoints are low.

The midpoint is the fraction of the entries, sorted by magnitude, that holds half of the total
(Spring et al. 2019, Figures 1 and A.2): 0.5 where all are alike. It is taken over the whole
embedding and softmax tables, as the paper's variables are; untouched rows are zeros and lower it,
so the midpoints among the rows that are not zero are recorded beside it.

The midpoint of a gradient does not depend on how long training has gone on, those of moments do: an
average over a run is about its length. So midpoints are taken at stated shares of an epoch, and the
claim is judged at each of them, for gradient and V: that the verdict does not depend on the choice
is part of the claim. M's midpoint grows all along (as more of the vocabulary has been seen within
its memory), so that for M the claim depends on the horizon: the note has its midpoint and the
verdict at each share, as a row of sensitivity, and it is not judged. The paper shows epochs 5, 20
and 40, which two cores do not reach.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.lab.intervals import at_most, mean_interval, together
from analysis.problems import corpus as text
from analysis.training.exact_run import BATCH, TABLES, exact_run

LIMIT = 0.2
RATE = 1e-3
VARIABLES = ("gradient", "M", "V")
JUDGED = ("gradient", "V")


def midpoint(values, entries=None):
    """The fraction of the entries that holds half of the total magnitude.

    Parameters
    ----------
    values : array_like
    entries : int, optional
        Count of all entries where zeros have been left out of `values`.

    Examples
    --------
    >>> midpoint([1, 1, 1, 1])
    0.5
    >>> midpoint([0, 0, 0, 3])
    0.25
    """
    magnitudes = np.sort(np.abs(np.ravel(values)))[::-1].cumsum(dtype=np.float64)
    needed = np.searchsorted(magnitudes, magnitudes[-1] / 2) + 1
    return float(needed / (entries or magnitudes.size))


def runs(dim, epochs, replicates):
    """One run for each replicate."""
    return [
        {"dim": dim, "epochs": epochs, "replicate": replicate} for replicate in range(replicates)
    ]


def given(options):
    """The text: its digest, and where it is."""
    return {"corpus": text.load(options.corpus).summary()}, options.corpus


def measure(settings, sequence, path):
    """Midpoints along one training run with exact Adam, of both tables."""
    corpus = text.load(path)
    epoch = len(corpus.positions["train"]) / BATCH
    stops = [max(1, round(share * epoch)) for share in settings["epochs"]]
    found = {name: [] for name in TABLES}
    for step in exact_run(corpus, sl.Adam, RATE, settings["dim"], max(stops), sequence):
        if step.number in stops:
            for name in TABLES:
                found[name].append(midpoints(*variables(step, name)))
    return {"midpoints": found, "steps": stops}


def variables(step, name):
    """Gradient, M and V of a table after a step: the rows of each that are not zero.

    Parameters
    ----------
    step : Step
    name : str
        Of the table.

    Returns
    -------
    rows : list of ndarray
        For each of `VARIABLES`, the rows kept.
    values : list of ndarray
        Their values.
    entries : int
        Of the whole table.
    """
    optimizer = getattr(step.optimizers, name)
    rows, gradients = step.gradients[name]
    touched = np.flatnonzero(optimizer.v.table.any(axis=1))
    moments = [store.table[touched] for store in (optimizer.m, optimizer.v)]
    return [rows, touched, touched], [gradients, *moments], optimizer.table.size


def midpoints(rows, values, entries):
    """Midpoints of `variables`: over all entries, then over rows that are not zero."""
    return {
        "all": [midpoint(kept, entries) for kept in values],
        "touched": [midpoint(kept) for kept in values],
        "rows": [len(rows[0]), len(rows[1])],
    }


def judge(measurements):
    """Every midpoint of gradient and V at every share of an epoch against a fifth."""
    epochs = measurements[0][0]["epochs"]
    # (runs, epochs, variables) of each table, over all entries and over rows that are not zero
    series = {
        (name, kind): np.array(
            [[at[kind] for at in result["midpoints"][name]] for _, result in measurements]
        )
        for name in TABLES
        for kind in ("all", "touched")
    }
    comparisons = len(TABLES) * len(VARIABLES) * len(epochs)
    intervals = {
        (name, variable): np.transpose(
            mean_interval(series[name, "all"][..., at], claim_error() / comparisons)
        )
        for name in TABLES
        for at, variable in enumerate(VARIABLES)
    }
    verdicts = {
        variable: [
            together(at_most(*intervals[name, variable][at][1:], LIMIT) for name in TABLES)
            for at in range(len(epochs))
        ]
        for variable in VARIABLES
    }
    highest = max(
        tuple(map(float, ends)) for name in TABLES for v in JUDGED for ends in intervals[name, v]
    )
    shown = ", ".join(
        f"{share:g}: {series[TABLES[0], 'all'][:, at, 1].mean():.3f}"
        f" ({series[TABLES[1], 'all'][:, at, 1].mean():.3f}) {verdicts['M'][at]}"
        for at, share in enumerate(epochs)
    )
    return Finding(
        verdict=together(found for variable in JUDGED for found in verdicts[variable]),
        measured=highest[0],
        bound=LIMIT,
        interval=list(highest[1:]),
        draws=len(measurements),
        comparisons=comparisons,
        note=f"midpoints of gradient and V of the {' and '.join(TABLES)} tables after "
        f"{', '.join(f'{share:g}' for share in epochs)} epochs; M, not judged, at each: {shown}; "
        f"among rows that are not zero, in the end: {_shown(series)}; draws are training runs",
        curves={
            "epochs": epochs,
            "verdicts": verdicts,
            "runs": [result for _, result in measurements],
        },
    )


def _shown(series):
    return "; ".join(
        f"{name} "
        + ", ".join(f"{value:.3f}" for value in series[name, "touched"][:, -1].mean(axis=0))
        for name in TABLES
    )


CLAIM = Claim(
    name="power-law",
    statement="half of the mass of gradient and V of a real language model is in less than a fifth "
    "of the entries, at every stated share of an epoch",
    source="Spring et al. 2019, Figures 1 and A.2",
    expected="holds",
    sizes={
        "tiny": {"dim": 8, "epochs": [0.0005, 0.002], "replicates": 3},
        "quick": {"dim": 32, "epochs": [0.005, 0.03], "replicates": 4},
        "full": {"dim": 32, "epochs": [0.005, 0.03, 0.1], "replicates": 4},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "15 s", "full": "4 min"},
    given=given,
)
