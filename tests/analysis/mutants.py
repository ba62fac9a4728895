"""Deliberate bugs of the library, and which claims must notice them.

A mutant takes a `pytest.MonkeyPatch`. They act on the reference semantics of the stores (NumPy), on
the hash functions and on the reference backend, which is what the checks run.
"""

import numpy as np

import sketchlab as sl
from sketchlab import hashing
from sketchlab.kernels.reference import Reference
from sketchlab.stores import cells
from sketchlab.stores.count_min import CountMinStore
from sketchlab.stores.count_sketch import CountSketchStore


def half_of_the_buckets(patch):
    whole = hashing.buckets

    def buckets(rows, constants, width):
        return whole(rows, constants, (width + 1) // 2)

    def cells(rows, constants, width, heads=0):
        first = heads + width * np.arange(len(constants))[:, None]
        return first + buckets(rows, constants, width)

    patch.setattr(hashing, "buckets", buckets)
    patch.setattr(hashing, "cells", cells)


def v_is_zero(patch):
    patch.setattr(CountMinStore, "combine", lambda self, signed: 0 * signed[0])


def v_over_100(patch):
    patch.setattr(CountMinStore, "combine", lambda self, signed: signed.min(axis=0) / 100)


def v_is_shuffled(patch):
    """Every row gets the answer of the one before it."""
    patch.setattr(
        CountMinStore, "combine", lambda self, signed: np.roll(signed.min(axis=0), 1, axis=0)
    )


def signs_are_all_plus(patch):
    patch.setattr(CountSketchStore, "signs", CountMinStore.signs)


def hash_without_addend(patch):
    whole = hashing.hash_constants

    def broken(seed, depth):
        constants = whole(seed, depth)
        constants[:, [1, 3]] = 0
        return constants

    patch.setattr(hashing, "hash_constants", broken)


def one_row_of_buckets_never_decays(patch):
    whole = cells.CellStore.begin_step

    def broken(self, keep, gain):
        gain = whole(self, keep, gain)
        if self.decay == "global" and not self.private:
            self.cells[0] /= keep
        return gain

    patch.setattr(cells.CellStore, "begin_step", broken)


def touched_rows_never_decay(patch):
    """Under `lazy` and `bucket` decay."""
    patch.setattr(cells, "lazy_change", lambda estimate, added, less_one: added)
    patch.setattr(cells, "active_cell", lambda cell, active_rows, less_one: cell)


def answers_are_never_shrunken(patch):
    patch.setattr(cells, "trust", lambda readings: np.ones(readings.shape[1]))


def _instead_of_the_move(patch, moved):
    """``moved(rows, before, after)`` of the parameters takes the place of their step."""
    whole = Reference.step

    def broken(self, rule, scalars, table, *rest):
        before = table.copy()
        whole(self, rule, scalars, table, *rest)
        everyone = np.arange(len(table))
        table[...] = moved(everyone[:, None], before, table)

    patch.setattr(Reference, "step", broken)


def a_tenth_of_the_rows_ascends(patch):
    _instead_of_the_move(
        patch, lambda rows, before, after: np.where(rows % 10, after, 2 * before - after)
    )


def never_moves(patch):
    _instead_of_the_move(patch, lambda rows, before, after: before)


def rows_are_ignored(patch):
    """The gradient of a step is spread evenly over the whole table."""

    def broken(rows, values):
        everyone = np.arange(rows.max() + 1)
        return everyone, np.broadcast_to(values.mean(axis=0), (len(everyone), values.shape[1]))

    patch.setattr(sl.stores, "coalesce", broken)


MUTANTS = {
    "half of the buckets": half_of_the_buckets,
    "v̂ = 0": v_is_zero,
    "v̂/100": v_over_100,
    "v̂ shuffled": v_is_shuffled,
    "signs all +1": signs_are_all_plus,
    "hash without addend": hash_without_addend,
    "a row of buckets never decays": one_row_of_buckets_never_decays,
    "touched rows never decay": touched_rows_never_decay,
    "never shrunken": answers_are_never_shrunken,
    "a tenth ascends": a_tenth_of_the_rows_ascends,
    "never moves": never_moves,
    "rows ignored": rows_are_ignored,
}

#: Which claims must notice which mutants; the verdict is then not the expected one.
CATCHES = {
    "count-sketch-error": ("signs all +1",),
    "count-min-error": ("half of the buckets",),
    "count-min-one-sided": ("v̂ = 0", "v̂/100", "v̂ shuffled"),
    "count-min-one-sided-lazy": ("touched rows never decay",),
    "depth": ("half of the buckets", "signs all +1"),
    "graceful-width": ("half of the buckets", "v̂/100", "signs all +1"),
    "median-of-three": ("half of the buckets", "hash without addend"),
    "median-of-many": ("half of the buckets", "signs all +1"),
    "head-size": ("half of the buckets", "v̂ = 0"),
    "shrunken-risk": ("half of the buckets", "never shrunken"),
    "adaptive-stream": ("half of the buckets",),
    "adaptive-attack": ("v̂ = 0", "never moves"),
    "theorem-4-1": ("v̂ = 0", "v̂/100"),
    "lemma-b2": ("v̂ = 0", "v̂/100"),
    "facts-f1-f4": ("v̂ = 0", "v̂/100", "v̂ shuffled"),
    "theorem-any-stream": ("v̂ = 0", "v̂/100", "a tenth ascends", "never moves"),
    "theorem-conservative": ("v̂ = 0", "v̂/100", "a tenth ascends", "never moves"),
    "huber-worst-case": ("v̂ = 0", "v̂/100", "a tenth ascends", "never moves"),
    "colliding-bursts": ("v̂ = 0", "a row of buckets never decays"),
    "sgd-rate": ("never moves",),
    "noise-free-floor": ("never moves",),
    "adagrad-regret": ("v̂ = 0", "v̂/100"),
    "sm3-regret": ("v̂ = 0", "v̂/100"),
    "decay-stability": ("v̂/100",),
    "load-bias": ("v̂/100",),
    "merge-fold": ("a row of buckets never decays",),
    "power-law": ("rows ignored",),
}
