"""What shrinking a count-sketch's answers by the measured factor costs, and gains (theory §9).

Rows of equal size share the buckets of a sketch with a few whose squares are 0 to 10 times the
noise of an answer. The mean square error of a shrunken answer is set beside those of the raw one,
of 0, and of the best factor, which knows both: it is at most the best factor's and a small part of
the raw answer's more, 2v/((v − 1)r) with r the dimension of what shares the buckets.

That is proved for the mean of readings with normal errors (at depth 2 the median is the mean) and
judged where many rows meet, so that errors are nearly normal. Elsewhere it is measured and not
judged: contents of one or two dimensions, where the readings' errors are parallel and look like a
value on which they agree; and few or unequal rows, where mostly no row or a single one disturbs a
reading, the raw median is exact, and a factor below 1 makes it worse.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding, claim_error
from analysis.checks.draws import allocate, hash_seed, scattered
from analysis.checks.rates import tightness
from analysis.lab.intervals import at_most, mean_interval, together
from analysis.theory import bounds
from sketchlab.stores.shrinkage import median_variance

#: Squares of the rows that are asked for, as multiples of the noise of an answer.
SIGNALS = (0.0, 0.1, 1.0, 10.0)
#: Rows asked for of each; they are a small part of what shares the buckets.
_ASKED = 2
#: Rows of the table; those in use are scattered over it.
_TABLE = 2**16
#: Draws where the bound is judged, over those elsewhere: the bound is close, by 6 % at the least.
_MORE = 4
#: Rows a bucket from which errors are nearly normal, and dimensions for which the bound is proved.
_CROWDED, _WIDE = 16, 8


def runs(loads, exponents, ranks, depths, touched, dim, width, draws, groups):
    """One run for each place of the grid; ranks of at most `dim`."""
    places = [
        {
            "load": load,
            "exponent": exponent,
            "rank": rank,
            "depth": depth,
            "touched": share,
            "dim": dim,
            "width": width,
            "draws": draws,
        }
        for load in loads
        for exponent in exponents
        for rank in ranks
        for depth in depths
        for share in touched
    ]
    return [p | {"groups": groups * (_MORE if judged(p) else 1)} for p in places]


def measure(settings, sequence):
    """Mean square errors for each signal, in groups of draws of hash functions and contents."""
    groups = [_group(settings, child) for child in sequence.spawn(settings["groups"])]
    return {name: [group[name] for group in groups] for name in groups[0]}


def _group(settings, sequence):
    sums = {"raw": 0.0, "shrunken": 0.0, "signal": 0.0, "noise": 0.0}
    for child in sequence.spawn(settings["draws"]):
        for name, value in _one_draw(settings, child).items():
            sums[name] = sums[name] + value / settings["draws"]
    return {name: np.asarray(total).tolist() for name, total in sums.items()}


def _one_draw(settings, sequence):
    """Square errors of the rows that are asked for, averaged for each signal."""
    data, hashing = sequence.spawn(2)
    generator = np.random.default_rng(data)
    values, noise = _contents(settings, generator)
    ids = scattered(len(values), generator, _TABLE)
    asked = slice(0, _ASKED * len(SIGNALS))
    shape = (settings["width"], settings["depth"])
    errors = {}
    for name, form in (("raw", {"row_weights": True}), ("shrunken", {"shrink": True})):
        store = allocate(
            sl.CountSketch(*shape, seed=hash_seed(hashing), **form), _TABLE, settings["dim"]
        )
        store.advance(ids, values, 0.5, 1.0)
        off = np.square(store.query(ids[asked]) - values[asked]).sum(axis=1)
        errors[name] = off.reshape(len(SIGNALS), _ASKED).mean(axis=1)
    signal = np.array(SIGNALS) * noise
    return errors | {"signal": signal, "noise": np.full(len(SIGNALS), noise)}


def _contents(settings, generator):
    """The rows' values, those asked for first, and the noise ν of the median of readings of them.

    ν = κσ², with σ² the squares of the others divided by the width. Those asked for are counted in
    with the others, which they add 1/width each to.
    """
    n = settings["load"] * settings["width"]
    sizes = np.arange(1, n + 1) ** -float(settings["exponent"])
    sizes[generator.random(n) >= settings["touched"]] = 0
    part = median_variance(settings["depth"]) / settings["width"]
    # ν = part·(Σ squares + Σ asked), where those asked for are multiples of ν themselves
    noise = part * np.square(sizes).sum() / (1 - part * _ASKED * sum(SIGNALS))
    asked = np.sqrt(np.repeat(SIGNALS, _ASKED) * noise)
    plane = np.linalg.qr(generator.standard_normal((settings["dim"], settings["rank"])))[0]
    directions = generator.standard_normal((len(asked) + n, settings["rank"]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.r_[asked, sizes][:, None] * (directions @ plane.T), noise


def judged(settings):
    """Whether the bound is to hold: many equal rows in enough dimensions."""
    crowd = settings["load"] * settings["touched"]
    return settings["exponent"] == 0 and crowd >= _CROWDED and settings["rank"] >= _WIDE


def judge(measurements):
    """The bound where it is to hold; everywhere, the error over the smaller of raw and 0."""
    known = [(s, r) for s, r in measurements if judged(s)]
    level = claim_error() / (len(known) * len(SIGNALS))
    verdicts, cases = [], []
    for settings, result in known:
        for at in range(len(SIGNALS)):
            signal, noise = result["signal"][0][at], result["noise"][0][at]
            bound = bounds.shrunken_risk(signal, noise, settings["depth"], settings["rank"])
            mean, low, high = mean_interval(np.array(result["shrunken"])[:, at], level)
            verdicts.append(at_most(low, high, bound))
            cases.append((bound / mean, mean, bound, [low, high]))
    ratio, mean, bound, interval = min(cases)
    draws = sum(settings["draws"] * settings["groups"] for settings, _ in known) // len(known)
    places = [_place(settings, result) for settings, result in measurements]
    worst = {
        name: max((p["over"] for p in places if where(p)), default=float("nan"))
        for name, where in REGIMES.items()
    }
    shown = ", ".join(f"{name} {value:.2f}" for name, value in worst.items())
    return Finding(
        verdict=together(verdicts),
        measured=float(mean),
        bound=bound,
        interval=[float(end) for end in interval],
        draws=draws,
        comparisons=len(cases),
        note=f"bound over measured {ratio:.2f} to {max(cases)[0]:.2f}; the largest mean square "
        "error over the smaller of the raw answer's and that of 0 (of a signal at all): "
        f"{shown}",
        curves={"tightness": tightness([case[0] for case in cases]), "places": places},
    )


#: Where the error is looked at, in the order in which a place is told to belong.
REGIMES = {
    "where the bound is proved": lambda p: judged(p),
    "in one or two dimensions": lambda p: p["rank"] <= 2,
    "beside few or unequal rows": lambda p: p["rank"] > 2 and not judged(p),
}


def _place(settings, result):
    """Mean errors at a place of the grid, for each signal."""
    means = {name: np.mean(result[name], axis=0) for name in result}
    least = np.minimum(means["raw"], means["signal"])
    over = means["shrunken"][1:] / least[1:]  # of no signal at all 0 is exact
    names = ("load", "exponent", "rank", "depth", "touched", "dim")
    return (
        {name: settings[name] for name in names}
        | {name: values.tolist() for name, values in means.items()}
        | {"over": float(over.max())}
    )


CLAIM = Claim(
    name="shrunken-risk",
    statement="a count-sketch's answer, shrunken by the measured factor, errs in the mean square "
    "by at most r/(r−2) times the best factor's error and 2v/((v−1)r) of the raw answer's, in r "
    "dimensions",
    source="after James & Stein 1961; theory §9",
    expected="holds",
    sizes={
        "tiny": {
            "loads": [16],
            "exponents": [0],
            "ranks": [1, 16],
            "depths": [2, 3],
            "touched": [1.0],
            "dim": 16,
            "width": 64,
            "draws": 20,
            "groups": 8,
        },
        "quick": {
            "loads": [1, 16],
            "exponents": [0, 1],
            "ranks": [1, 8, 32],
            "depths": [2, 3],
            "touched": [1.0],
            "dim": 32,
            "width": 128,
            "draws": 10,
            "groups": 12,
        },
        "full": {
            "loads": [1, 4, 16],
            "exponents": [0, 1],
            "ranks": [1, 2, 8, 32, 128],
            "depths": [2, 3, 5],
            "touched": [0.25, 1.0],
            "dim": 128,
            "width": 128,
            "draws": 10,
            "groups": 16,
        },
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "15 s", "full": "20 min"},
)
