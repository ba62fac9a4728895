"""Does it help to clean a count-min sketch, that is, to multiply it by α after every C steps?

A classifier with thousands of Zipf-distributed classes (`analysis.training.classes`), Adagrad and
Adam with a count-min V. A cleaned V also makes steps longer and forgets old gradients, whatever it
does to the sketch's error: so every variant's learning rate is chosen with the same effort
(`analysis.training.comparison`), and cleaned *exact* variables are among the variants.
"""

import numpy as np

import sketchlab as sl
from analysis.lab.intervals import mean_interval
from analysis.lab.study import Table
from analysis.training import classes, comparison
from analysis.training.variants import COMPRESSION, DEPTH, Variant

_FULL = {"epochs": 6, "tries": 4, "replicates": 3, "task": classes.TASK}
_FEWER = {"classes": 1024, "samples": 4096}
SIZES = {
    "full": _FULL,
    "quick": _FULL | {"epochs": 4, "tries": 3, "task": classes.TASK | _FEWER},
}
#: What the paper used for its MegaFace runs, by family, and the grid around it.
PAPER = {"Adagrad": sl.Clean(0.5, 125), "Adam": sl.Clean(0.2, 125)}
GRID = [sl.Clean(factor, every) for every in (125, 250) for factor in (0.2, 0.5)]
EXACT = sl.Dense(decay="lazy")
#: Chance that an interval of a difference misses it.
ERROR = 0.05


def _variant(family, state, update, clean, v):
    form = update if clean is None else f"{update}, α={clean.factor:g} C={clean.every}"
    return Variant(family, state, form, m=EXACT if family == "Adam" else None, v=v)


def _exact(family, clean=None):
    v = EXACT if clean is None else classes.CleanedDense(clean=clean)
    return _variant(family, "exact", "lazy", clean, v)


def _cms(family, update, clean=None):
    forms = {
        "no decay": {"decay": "lazy"},
        "lazy": {"decay": "lazy"},
        "global": {"decay": "global"},
        "conservative": {"conservative": True},
    }
    v = sl.CountMinSketch(None, DEPTH, COMPRESSION, clean=clean, **forms[update])
    return _variant(family, "CMS", update, clean, v)


VARIANTS = (
    _exact("Adagrad"),
    _exact("Adagrad", PAPER["Adagrad"]),
    *(_cms("Adagrad", "no decay", clean) for clean in (None, *GRID)),
    _exact("Adam"),
    _exact("Adam", PAPER["Adam"]),
    *(_cms("Adam", "lazy", clean) for clean in (None, *GRID)),
    *(
        _cms("Adam", update, clean)
        for update in ("global", "conservative")
        for clean in (None, PAPER["Adam"])
    ),
)


def _seen(variant, results):
    """Which cleaning, and the curves of the runs."""
    clean = variant.v.to_dict().get("clean")
    return {
        "update": variant.form.split(",")[0],
        "clean": clean and [clean["factor"], clean["every"]],
        "accuracies": _band([result["accuracies"] for result in results]),
        "errors": _band([result["errors"] for result in results]),
        "bias": [result["bias"] for result in results],
    }


def _band(curves):
    """Mean, lowest and highest of some curves, as far as all of them go."""
    length = min(map(len, curves))
    values = np.array([curve[:length] for curve in curves], float)
    with np.errstate(invalid="ignore"):
        bands = {"mean": values.mean(axis=0), "low": values.min(axis=0), "high": values.max(axis=0)}
    return {
        name: [float(f"{value:.4g}") if np.isfinite(value) else None for value in band]
        for name, band in bands.items()
    }


def _gains(rows):
    """For every cleaned variant, the accuracy it gained over the same one without cleaning.

    The seeds are the same, so that the differences are paired; their interval is Student's.
    """
    plain = {_key(row): row for row in rows if row["clean"] is None}
    return [
        {
            "variant": row["variant"],
            "over": plain[_key(row)]["variant"],
            **_difference(plain[_key(row)]["scores"], row["scores"]),
        }
        for row in rows
        if row["clean"] is not None
    ]


def _key(row):
    return row["family"], row["state"], row["update"]


def _difference(without, cleaned):
    """The gain in accuracy, its interval, and whether cleaning helps."""
    if None in without or None in cleaned:
        return {"gain": None, "interval": None, "helps": "a run diverged"}
    mean, low, high = map(float, mean_interval(np.subtract(without, cleaned), ERROR))
    helps = "yes" if low > 0 else "no, it harms" if high < 0 else "undecided"
    return {"gain": mean, "interval": [low, high], "helps": helps}


def present(configuration, summary):
    """Return the table of accuracies, errors of V and gains."""
    task = configuration["task"]
    gains = {gain["variant"]: gain for gain in summary["gains"]}
    notes = [
        f"{configuration['replicates']} seeds, {configuration['epochs']} epochs of "
        f"{task['samples']:,} samples in batches of {task['batch']}; {task['classes']:,} classes "
        f"of Zipf frequencies, d = {task['dim']}. Sketches: {COMPRESSION}x smaller, depth {DEPTH}.",
        "Error of V: the distance to the exact, uncleaned V over its norm, mean along the run; "
        "bias: mean log2 of estimate over truth in the end. Gain: accuracy over the same variant "
        f"without cleaning, in percent, with its {1 - ERROR:.0%} interval.",
        *comparison.edge_note(summary["rows"]),
    ]
    return Table(
        EXPERIMENT.title,
        ("optimizer", "V", "form", "rate", "accuracy, %", "error of V", "bias", "gain", "helps"),
        [_row(row, gains.get(row["variant"])) for row in summary["rows"]],
        notes,
    )


def _row(row, gain):
    errors = [error for error in row["errors"]["mean"] if error is not None]
    biases = [bias for bias in row["bias"] if bias is not None]
    return (
        row["family"],
        row["state"],
        row["form"],
        comparison.rate_text(row),
        comparison.score_text(comparison.accuracy_row(row)),
        f"{np.mean(errors):.2f}" if errors else "",
        f"{np.mean(biases):+.1f}" if biases else "",
        *_gain_text(gain),
    )


def _gain_text(gain):
    if gain is None:
        return "", ""
    if gain["gain"] is None:
        return "", gain["helps"]
    low, high = (f"{100 * end:+.1f}" for end in gain["interval"])
    return f"{100 * gain['gain']:+.1f} ({low} to {high})", gain["helps"]


EXPERIMENT = comparison.experiment_on(
    classes,
    VARIANTS,
    sizes=SIZES,
    common=lambda _: {},
    more=_seen,
    also=lambda rows: {"every": classes.EVERY, "gains": _gains(rows)},
    name="cleaning",
    title="Cleaning a count-min V or not: accuracy of a classifier with many classes",
    source="Spring et al. 2019, Figure 3, on synthetic classes",
    duration={"quick": "30 s", "full": "2 min"},
    present=present,
)
