"""The study of shrunken moments: what it is judged against; the quadratic that needs momentum."""

import pytest

import sketchlab as sl
from analysis.experiments import shrunken_moment
from analysis.training import quadratic
from analysis.training.variants import Variant

PLAN = {"steps": 150, "seed": 0, "common": {"rows": 60, "dim": 8, "condition": 1_000}}


def score(variant, rate):
    variant = variant._replace(options={"backend": "reference"})  # nothing to compile
    return quadratic.measure(quadratic.settings(PLAN, variant, rate, 1))["score"]


def test_the_quadratic_needs_momentum():
    """At the same rate, and at one where SGD, at the rate that momentum comes to, diverges."""
    momentum = Variant("Momentum", "exact", "lazy", m=sl.Dense())
    sgd = Variant("SGD", "exact", "lazy")
    assert score(momentum, 0.5) < score(sgd, 0.5) / 3
    assert score(sgd, 5.0) is None or score(sgd, 5.0) > 1


def test_a_shrunken_moment_falls_back_to_none_where_many_rows_share_a_bucket():
    """About as good as SGD at the rate that momentum comes to; a raw sketch hardly learns."""
    few = {"width": 4, "depth": 3}
    shrunken = score(Variant("Momentum", "", "", m=sl.CountSketch(**few, shrink=True)), 0.1)
    none = score(Variant("SGD", "", ""), 1.0)
    raw = score(Variant("Momentum", "", "", m=sl.CountSketch(**few, row_weights=True)), 0.1)
    assert shrunken < 3 * none and raw > 10 * none


def test_all_rows_in_one_bucket_diverge_where_momentum_does_not():
    """The limit that docs/theory.md names: F·g is gradient descent at ten times the rate."""
    one = {"width": 1, "depth": 3}
    shrunken = score(Variant("Momentum", "", "", m=sl.CountSketch(**one, shrink=True)), 0.1)
    assert shrunken is None or shrunken > 1
    assert score(Variant("Momentum", "", "", m=sl.Dense()), 0.1) < 0.01


def row(family, state, form, mean):
    variant = f"{family} {state} ({form})"
    return {
        "family": family,
        "state": state,
        "form": form,
        "variant": variant,
        "mean": mean,
        "diverged": 0,
        "exact_to_state": 8.0,
    }


@pytest.mark.parametrize(
    ("exact", "none", "mean", "off"),
    [(100.0, 90.0, 99.0, 0.1), (80.0, 90.0, 84.0, 0.05), (None, 90.0, 90.0, 0.0)],
)
def test_rows_are_judged_by_the_better_of_exact_and_none(exact, none, mean, off):
    rows = [
        row("Adam", "exact", "lazy", exact),
        row("RMSprop", "exact", "lazy", none),
        row("Momentum", "exact", "lazy", 1.0),
        row("Adam", "shrunken M", "20x, V 5x, clip", mean),
        row("Adam", "8-bit M", "lazy", 1.0),
    ]
    summary = shrunken_moment._judged({"language": rows})
    (judged,) = summary["judged"]
    assert judged["off"] == pytest.approx(off) and judged["asked"] == 0.03
    best = min(one for one in (exact, none) if one is not None)
    assert summary["better"]["language"] == {"Adam": best, "Momentum": 1.0}


def test_a_row_that_diverged_is_no_success():
    rows = [
        row("Adam", "exact", "lazy", 80.0),
        row("RMSprop", "exact", "lazy", 90.0),
        row("Adam", "shrunken M", "5x, V 5x, clip", None),
    ]
    (judged,) = shrunken_moment._judged({"language": rows})["judged"]
    assert judged["off"] is None
    assert "diverged" in shrunken_moment._judgement(judged)
