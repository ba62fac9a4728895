"""How the loss of sketched state changes with the length of training.

The LM1B set-up made small (`analysis.training.lm1b`), trained for ever more epochs, with rates
chosen anew, and with the same effort, for every length. A power law through the gaps says where
the published lengths would lie if it went on. It is fitted to the lengths at which exact state
still gains from more epochs: beyond them it overfits a text that is small for so many, and what
sketched state loses less there is not lost by noise.
"""

from functools import partial

import numpy as np

from analysis.lab.study import Experiment, Table
from analysis.theory.published import STEPS
from analysis.training import comparison, gaps, lm1b
from analysis.training.variants import BY_NAME, WITHOUT_M


def _cs_mv(what):
    return BY_NAME["Adam CS-MV (paper: lazy)"]._replace(form=f"paper: lazy; {what}")


#: Variants, the exact one first, and what of the model each sketches.
VARIANTS = (
    BY_NAME["Adam exact (lazy)"],
    _cs_mv("embedding"),
    _cs_mv("both tables"),
    WITHOUT_M[1]._replace(form="linear: global; both tables"),
)
_SKETCHED = {VARIANTS[1].name: ("embedding",)}
SIZES = {
    "full": {
        **lm1b.SMALL["full"],
        "words": {"vocabulary": None, "train": 200_000, "validation": 5_000, "test": 20_000},
        "lengths": [1, 2, 4, 8],
        "tries": 4,
        "replicates": 3,
    },
    "quick": {
        **lm1b.SMALL["quick"],
        "words": {"vocabulary": 8_000, "train": 30_000, "validation": 3_000, "test": 6_000},
        "lengths": [1, 2, 4],
        "tries": 3,
        "replicates": 3,
    },
}


def configure(options):
    """Return the configuration and what the runs need."""
    given = lm1b.asked("gap-against-steps", SIZES, options)
    return options.sized(SIZES) | given, {"corpus": options.corpus}


def _settings(plan, variant, learning_rate, replicate):
    parts = _SKETCHED.get(variant.name, lm1b.TABLES)
    return lm1b.settings(plan, variant, learning_rate, replicate, parts)


def _planned(configuration):
    """A comparison for each length."""
    effort = [configuration[name] for name in ("base_rates", "tries", "replicates")]
    return {
        length: comparison.Comparison(
            VARIANTS, *effort, partial(_settings, configuration | {"epochs": length})
        )
        for length in configuration["lengths"]
    }


def _steps(configuration, length):
    return lm1b.steps({**configuration["common"], "epochs": length})


def summarise(configuration, result_of):
    """Return the rows of all lengths, gaps by steps for each way, and the power law of each."""
    rows_of = {length: one.rows(result_of) for length, one in _planned(configuration).items()}
    improving, ways = _improving(rows_of), []
    for place, variant in enumerate(VARIANTS[1:], 1):
        points = [
            {
                "epochs": length,
                "steps": _steps(configuration, length),
                "gaps": gaps.paired(rows[place], rows[0]),
            }
            for length, rows in rows_of.items()
        ]
        fitted = [point for point in points if point["epochs"] <= improving]
        fits = {"fit": _fit(fitted), "fit_of_all": _fit(points)}
        ways.append({"variant": variant.name, "points": points, **fits})
    lengths = [{"epochs": length, "rows": rows} for length, rows in rows_of.items()]
    return {"lengths": lengths, "improving": improving, "ways": ways}


def _improving(rows_of):
    """With how many epochs exact state is best; the most where that is so with several, or none."""
    means = {length: rows[0]["mean"] for length, rows in rows_of.items()}
    known = {length: mean for length, mean in means.items() if mean is not None}
    return min(known, key=lambda length: (known[length], -length), default=max(rows_of))


def _fit(points):
    """The power law of gaps by steps, what it says of the published lengths, and its line."""
    known = [(point["steps"], gap) for point in points for gap in point["gaps"] if gap is not None]
    law = gaps.power_law(known) if known else None
    if law is None:
        return None
    at = {name: list(law.at(steps)) for name, steps in STEPS.items()}
    places = np.geomspace(points[0]["steps"], max(STEPS.values()), 40).tolist()
    line = [[steps, *law.at(steps)] for steps in places]
    return {"slope": law.slope, "slopes": list(law.slopes()), "at": at, "line": line}


def present(configuration, summary):
    """Return the table of gaps: a row for each way, a column for each length."""
    lengths = configuration["lengths"]
    rows = [
        (
            way["variant"],
            *(gaps.text(point["gaps"]) for point in way["points"]),
            *_extrapolated(way["fit"]),
        )
        for way in summary["ways"]
    ]
    exact = ", ".join(comparison.score_text(one["rows"][0]) for one in summary["lengths"])
    edges = [
        f"{row['variant']} at {one['epochs']}"
        for one in summary["lengths"]
        for row in one["rows"]
        if row["rate_at_edge"]
    ]
    notes = [
        f"Test perplexity against exact state of the same seed; exact: {exact}. "
        f"{configuration['replicates']} seeds.",
        *lm1b.about(configuration),
        f"Rates: {configuration['tries']} tries on one seed for every number, as long as its runs.",
        f"Exponent and published lengths ({_lengths()} steps): of a power law fitted to the gaps "
        f"of all seeds, with {gaps.CONFIDENCE:.0%} intervals that hold as far as the law does; "
        f"the longest run here has {_steps(configuration, lengths[-1]):,} steps. None where a gap "
        "is not above zero.",
        f"Fitted to the lengths up to {summary['improving']} epochs, with which exact state is "
        f"best. To all lengths: {'; '.join(map(_of_all, summary['ways']))}.",
        *([f"Best at the lowest or highest rate tried: {'; '.join(edges)} epochs."] if edges else
          []),
    ]  # fmt: skip
    columns = ("state", *(f"{length} epochs" for length in lengths), "exponent")
    columns += tuple(f"{name}'s length" for name in STEPS)
    return Table(EXPERIMENT.title, columns, rows, notes)


def _lengths():
    return ", ".join(f"{name} {steps:,}" for name, steps in STEPS.items())


def _of_all(way):
    """The power law through all lengths, in words."""
    exponent, *places = _extrapolated(way["fit_of_all"])
    found = ", ".join((exponent, *places)) if way["fit_of_all"] else "none"
    return f"{way['variant']} {found}"


def _extrapolated(fit):
    if fit is None:
        return ("none",) * (1 + len(STEPS))
    low, high = fit["slopes"]
    found = (fit["at"][name] for name in STEPS)
    return (
        f"{fit['slope']:.2f} ({low:.2f} to {high:.2f})",
        *(f"{100 * gap:+.1f} ({100 * a:.1f} to {100 * b:.1f}) %" for gap, a, b in found),
    )


EXPERIMENT = Experiment(
    name="gap-against-steps",
    title="What sketched state loses against exact state, by the length of training",
    source="Spring et al. 2019, Tables 4 and 9, whose runs are longer than any here",
    sizes=SIZES,
    configure=configure,
    stages=lambda configuration, result_of: comparison.stages_together(
        _planned(configuration).values(), result_of
    ),
    measure=lm1b.measure,
    summarise=summarise,
    present=present,
    cost=lm1b.cost,
    workload=lambda configuration: comparison.workload_together(
        _planned(configuration).values(), lm1b.cost
    ),
    duration={"quick": "5 min", "full": "40 min"},
    on_request=True,
)
