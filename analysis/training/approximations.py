"""Stores of one moment, fed one stream of gradients, beside the exact variable.

Non-negative factorisation (NMF: row sums · column sums / total) is not made for the signed
momentum. Spring et al. (2019) applied it all the same: ``NMF of signed sums`` is that, and where
positive and negative entries cancel, the division by the total makes it erratic. ``NMF, signs
apart`` is the sound form, with twice the parameters.
"""

import numpy as np

import sketchlab as sl

DEPTH, COMPRESSION = 3, 5


class SignsApart:
    """A signed variable as the difference of two rank-one stores of non-negative ones.

    One is fed the positive values, the other the negative ones. ``global`` decay is linear, so
    that what they approximate adds up to the signed variable.
    """

    decay = "global"

    def __init__(self, n, dim):
        self.parts = [sl.Rank1(self.decay).allocate(n, dim) for _ in range(2)]

    def advance(self, rows, added, keep, gain):
        for sign, part in zip((1, -1), self.parts):
            part.advance(rows, np.maximum(sign * added, 0), keep, gain)

    def estimate(self, rows):
        positive, negative = (part.estimate(rows) for part in self.parts)
        return positive - negative

    @property
    def nbytes(self):
        return sum(part.nbytes for part in self.parts)


def approximations(moment, n, dim, seeds):
    """Live stores of one moment, by name: one for each seed where hashes are drawn.

    Parameters
    ----------
    moment : {"m", "v"}
    n, dim : int
        Shape of the variable.
    seeds : list of int

    Returns
    -------
    dict of str to list of live stores
    """
    widths = {"": max(1, (n + dim) // (DEPTH * dim)), f", {COMPRESSION}x": None}
    sketch, kind = _SKETCHES[moment]
    forms = {decay: {"decay": decay} for decay in ("lazy", "global")}
    if moment == "v":
        forms["conservative"] = {"conservative": True}
    stores = {
        f"{kind}, {form}{size}": [
            sketch(width, DEPTH, COMPRESSION, seed=seed, **forms[form]).allocate(n, dim)
            for seed in seeds
        ]
        for size, width in widths.items()
        for form in forms
    }
    nmf = "NMF of signed sums" if moment == "m" else "NMF"
    for decay in ("lazy", "global"):
        stores[f"{nmf}, {decay}"] = [sl.Rank1(decay).allocate(n, dim)]
    if moment == "m":
        stores["NMF, signs apart"] = [SignsApart(n, dim)]
    stores["ℓ2 rank-1, lazy"] = [sl.Rank1SVD("lazy").allocate(n, dim)]
    return stores


_SKETCHES = {"m": (sl.CountSketch, "count-sketch"), "v": (sl.CountMinSketch, "count-min")}


class Watch:
    """The exact variable under both decays, approximations of it, and how far off they were.

    Parameters
    ----------
    stores : dict of str to list of live stores
    n, dim : int
    keep, gain : float
        Of the recursion x ← keep·x + gain·u.
    """

    def __init__(self, stores, n, dim, keep, gain):
        self.stores, self.recursion = stores, (keep, gain)
        self.exact = {decay: sl.Dense(decay).allocate(n, dim) for decay in ("lazy", "global")}
        self.everyone = np.arange(n)
        self.norms = {decay: [] for decay in self.exact}
        self.distances = {name: [[] for _ in kept] for name, kept in stores.items()}
        self.active = {name: [[] for _ in kept] for name, kept in stores.items()}

    def advance(self, rows, values):
        """Feed a step to all of them."""
        for kept in (self.exact.values(), *self.stores.values()):
            for store in kept:
                store.advance(rows, values, *self.recursion)

    def record(self, rows):
        """Note ‖x‖₂, ‖x̂ − x‖₂ and, among the active rows only, their ratio."""
        truths = {decay: store.estimate(self.everyone) for decay, store in self.exact.items()}
        for decay, truth in truths.items():
            self.norms[decay].append(_norm(truth))
        for name, kept in self.stores.items():
            for number, store in enumerate(kept):
                truth = truths[store.decay]
                error = store.estimate(self.everyone) - truth
                self.distances[name][number].append(_norm(error))
                self.active[name][number].append(_norm(error[rows]) / _norm(truth[rows]))


def _norm(values):
    return float(np.linalg.norm(values.astype(np.float64)))
