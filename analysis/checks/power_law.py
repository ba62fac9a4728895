"""Gradients, M and V of a real language model follow a power law: their midpoints are low.

The midpoint is the fraction of the entries, sorted by magnitude, that holds half of the total
(Spring et al. 2019, Figures 1 and A.2): 0.5 where all are alike. It is taken over the whole
embedding and softmax tables, as the paper's variables are; untouched rows are zeros and lower it,
so the midpoints among the rows that are not zero are recorded beside it.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.lab.intervals import at_most, mean_interval, together
from analysis.problems import corpus as text
from analysis.training.exact_run import TABLES, exact_run

LIMIT = 0.2
RATE = 1e-3
VARIABLES = ("gradient", "M", "V")


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


def cells(dim, steps, every, replicates):
    """One cell a training run."""
    return [
        {"dim": dim, "steps": steps, "every": every, "replicate": replicate}
        for replicate in range(replicates)
    ]


def given(options):
    """The text: its digest, and where it is."""
    return {"corpus": text.load(options.corpus).summary()}, options.corpus


def measure(settings, sequence, path):
    """Midpoints along one training run with exact Adam, of both tables."""
    found = {name: [] for name in TABLES}
    run = exact_run(text.load(path), sl.Adam, RATE, settings["dim"], settings["steps"], sequence)
    for step in run:
        if step.number % settings["every"] == 0:
            for name in TABLES:
                found[name].append(midpoints(*variables(step, name)))
    return {"midpoints": found}


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
    """Every mean midpoint, by Student's interval over runs, against a fifth."""
    series = {
        (name, kind): np.array(
            [
                np.mean([at[kind] for at in result["midpoints"][name]], axis=0)
                for _, result in measurements
            ]
        )
        for name in TABLES
        for kind in ("all", "touched")
    }
    comparisons = 2 * len(VARIABLES)
    intervals = {
        (name, variable): [
            float(end)
            for end in mean_interval(series[name, "all"][:, at], claim_error() / comparisons)
        ]
        for name in TABLES
        for at, variable in enumerate(VARIABLES)
    }
    highest = max(intervals.values())
    return Finding(
        verdict=together(at_most(low, high, LIMIT) for _, low, high in intervals.values()),
        measured=highest[0],
        bound=LIMIT,
        interval=highest[1:],
        draws=len(measurements),
        comparisons=comparisons,
        note=f"mean midpoints of gradient, M, V over all entries: {_shown(series, 'all')}; among "
        f"rows that are not zero: {_shown(series, 'touched')}; draws are training runs",
        curves={"runs": [result for _, result in measurements]},
    )


def _shown(series, kind):
    return "; ".join(
        f"{name} " + ", ".join(f"{value:.3f}" for value in series[name, kind].mean(axis=0))
        for name in TABLES
    )


CLAIM = Claim(
    name="power-law",
    statement="half of the mass of gradient, M and V of a real language model is in less than a "
    "fifth of the entries",
    source="Spring et al. 2019, Figures 1 and A.2",
    expected="holds",
    sizes={
        "tiny": {"dim": 8, "steps": 12, "every": 4, "replicates": 3},
        "quick": {"dim": 32, "steps": 200, "every": 40, "replicates": 4},
        "full": {"dim": 64, "steps": 3000, "every": 150, "replicates": 4},
    },
    cells=cells,
    measure=measure,
    judge=judge,
    duration={"quick": "15 s", "full": "1 min"},
    given=given,
)
