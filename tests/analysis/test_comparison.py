"""The search for rates and the runs that follow it, on made-up tasks with known answers."""

import math
from itertools import chain

import numpy as np
import pytest

import sketchlab as sl
from analysis.training.comparison import Comparison, change_text, rate_text, score_text
from analysis.training.optimizers import optimizer, plain
from analysis.training.variants import Variant

EXACT = Variant("RMSprop", "exact", "lazy", v=sl.Dense())
SKETCHED = Variant("RMSprop", "CMS", "5x", v=sl.CountMinSketch(compression=5))
BEST = {EXACT.name: 0.1, SKETCHED.name: 0.8}


def settings(variant, learning_rate, replicate):
    return {
        **variant.settings(),
        "learning_rate": learning_rate,
        "replicate": replicate,
        "steps": 10,
    }


def result_of(settings):
    """Worse by the distance from the best rate, and by 10 % where state is sketched."""
    octaves = abs(math.log2(settings["learning_rate"] / BEST[settings["variant"]]))
    sketched = settings["variant"] == SKETCHED.name
    score = (100 + 10 * octaves) * (1.1 if sketched else 1) + settings["replicate"]
    return {"score": score, "diverged": False, "state_bytes": 20 if sketched else 100}


def compare(result_of=result_of, tries=5):
    return Comparison((EXACT, SKETCHED), {"RMSprop": 0.1}, tries, 3, settings).rows(result_of)


@pytest.mark.parametrize(
    "store",
    [
        sl.CountSketch(decay="bucket"),
        sl.HeadTail(tail=sl.CountSketch(decay="bucket")),
        sl.CountSketch(),
        sl.Dense(),
    ],
)
def test_settings_of_bucket_decay_say_which_form_of_its_answers_they_are_of(store):
    """So that runs of the earlier form are not taken for these; a store is made of them all."""
    kept = plain(store)
    assert ("answers" in kept) == (store.decay == "bucket")
    made = {"family": "Momentum", "learning_rate": 0.1, "stores": {"m": kept}, "options": {}}
    made = optimizer(made, np.zeros((60, 8)), iter([0]))
    assert made.m.description == store


def test_a_worse_store_is_seen_as_worse():
    exact, sketched = compare()
    assert exact["scores"] == [101, 102, 103] and exact["std"] == 1
    assert exact["score_to_exact"] == exact["exact_to_state"] == 1
    assert sketched["score_to_exact"] == pytest.approx(1.1, abs=0.02)
    assert sketched["exact_to_state"] == 5


def test_every_variant_gets_its_own_rate_after_as_many_tries():
    comparison = Comparison((EXACT, SKETCHED), {"RMSprop": 0.1}, 5, 3, settings)
    stages = list(comparison.stages(result_of))
    assert [len(stage) for stage in stages] == [6, 2, 2, 6]
    tries, finals = list(chain(*stages[:-1])), stages[-1]
    assert {cell["replicate"] for cell in tries} == {0}
    assert {cell["replicate"] for cell in finals} == {1, 2, 3}
    chosen = {cell["variant"]: cell["learning_rate"] for cell in finals}
    assert chosen == {EXACT.name: 0.1, SKETCHED.name: 0.8}
    seconds, cells = comparison.workload(lambda cell: cell["steps"])
    assert (seconds, cells) == (160, 16) and cells == sum(map(len, stages))


def test_diverged_runs_are_counted_and_left_out_of_the_mean():
    def some_diverge(settings):
        if settings["variant"] == SKETCHED.name and settings["replicate"] == 2:
            return {"score": 1e9, "diverged": True, "state_bytes": 20}
        return result_of(settings)

    _, sketched = compare(some_diverge)
    assert sketched["diverged"] == 1 and sketched["scores"][1] is None
    assert sketched["mean"] == pytest.approx((sketched["scores"][0] + sketched["scores"][2]) / 2)
    assert score_text(sketched).endswith("(1 diverged)")


def test_a_variant_that_always_diverges_has_no_score_and_an_edge_rate():
    def diverges(settings):
        finite = settings["variant"] == EXACT.name
        return result_of(settings) if finite else {"score": 1e9, "diverged": True, "state_bytes": 2}

    _, sketched = compare(diverges)
    assert sketched["mean"] is None and sketched["score_to_exact"] is None
    assert score_text(sketched) == "diverged"
    assert rate_text(sketched).endswith("*")
    assert all(tried["score"] is None for tried in sketched["tries"])


def test_settings_say_everything_but_the_seed():
    variant = Variant("Adam", "s", "f", m=sl.CountSketch(seed=5), options={"betas": [0.5, 0.9]})
    said = variant.settings()
    assert set(said["stores"]) == {"m"} and "seed" not in said["stores"]["m"]
    table = sl.Dense().allocate(n=40, dim=2).table
    made = optimizer(said | {"learning_rate": 0.25}, table, iter([7]))
    assert made.name == "Adam" and made.lr == 0.25 and made.rule.betas == (0.5, 0.9)
    assert plain(made.m.description) == said["stores"]["m"]
    assert made.m.description.seed == 7
    assert made.v.description == sl.Dense()


def test_stores_of_one_table_get_different_seeds():
    both = Variant("Adam", "s", "f", sl.CountSketch(), sl.CountMinSketch()).settings()
    made = optimizer(both | {"learning_rate": 1.0}, sl.Dense().allocate(40, 2).table, iter([1, 2]))
    assert made.m.description.seed == 1 and made.v.description.seed == 2


def test_a_change_beyond_tenfold_is_told_as_a_factor():
    assert [change_text(ratio) for ratio in (0.98, 1.5, 2.5e30)] == [
        "-2.0%",
        "+50.0%",
        "2.5e+30 times",
    ]
