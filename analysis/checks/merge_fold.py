"""Merging and folding linear sketches: exact (theory §1, linearity).

Values are whole numbers, so that sums in floating point are exact and "the same" means to the bit.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim, Finding
from analysis.checks.draws import allocate, hash_seed
from analysis.lab.intervals import HOLDS, REFUTED

KINDS = {"count-sketch": sl.CountSketch, "count-min": sl.CountMinSketch}


def runs(n, width, draws):
    """One run for each kind of sketch."""
    return [{"kind": kind, "n": n, "width": width, "draws": draws} for kind in KINDS]


def measure(settings, sequence):
    """Largest difference, over draws, between a merged or folded sketch and one built so."""
    worst = {"merge": 0.0, "fold": 0.0, "decayed merge": 0.0}
    for child in sequence.spawn(settings["draws"]):
        data, hashing = child.spawn(2)
        generator = np.random.default_rng(data)
        for name, difference in _differences(settings, generator, hash_seed(hashing)).items():
            worst[name] = max(worst[name], difference)
    return worst


def _differences(settings, generator, seed):
    kind, n, width = KINDS[settings["kind"]], settings["n"], settings["width"]
    a, b = generator.integers(0, 1000, size=(2, n, 2)).astype(float)
    if kind.signed:
        a, b = a - 500, b - 500

    def sketch(values, width=width):
        """A sketch of the values, all with the same hash functions."""
        store = allocate(kind(width=width, decay="global", seed=seed), n, 2)
        store.update(np.arange(n), values)
        return store

    merged = sketch(a).merge(sketch(b)).table
    folded = sketch(a).fold().fold()
    decayed = sketch(a)
    decayed.advance(np.arange(n), b, keep=0.5, gain=0.25)
    halves = sketch(a).scale(0.5).merge(sketch(b).scale(0.25)).table
    return {
        "merge": _largest(merged - sketch(a + b).table),
        "fold": _largest(folded.query(np.arange(n)) - sketch(a, width // 4).query(np.arange(n)))
        + _largest(folded.table - sketch(a, width // 4).table),
        "decayed merge": _largest(decayed.table - halves),
    }


def _largest(difference):
    return float(np.abs(difference).max())


def judge(measurements):
    """Refuted by any difference."""
    worst = max(max(result.values()) for _, result in measurements)
    return Finding(
        verdict=HOLDS if worst == 0 else REFUTED,
        measured=worst,
        bound=0.0,
        interval=None,
        draws=sum(settings["draws"] for settings, _ in measurements),
        comparisons=0,
        note="largest difference of any cell or answer; whole numbers, so 0 means to the bit",
        curves={},
    )


CLAIM = Claim(
    name="merge-fold",
    statement="a merged linear sketch is that of the sum, a folded one that of half the width",
    source="linearity; theory §1",
    expected=HOLDS,
    sizes={
        "tiny": {"n": 40, "width": 8, "draws": 3},
        "quick": {"n": 1000, "width": 64, "draws": 100},
        "full": {"n": 100_000, "width": 4096, "draws": 50},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "1 s", "full": "10 s"},
)
