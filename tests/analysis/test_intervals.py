"""Intervals cover what they should, and verdicts follow from them."""

import numpy as np
import pytest
from scipy import stats

from analysis.lab import intervals
from analysis.lab.intervals import HOLDS, REFUTED, UNDECIDED


@pytest.mark.parametrize("probability", [0.0, 0.01, 0.3, 1.0])
def test_clopper_pearson_covers(probability):
    """Exact coverage over all outcomes of 40 draws, and known values at the ends."""
    counts = np.arange(41)
    low, high = intervals.clopper_pearson(counts, 40, error=0.05)
    covered = (low <= probability) & (probability <= high)
    assert stats.binom.pmf(counts[covered], 40, probability).sum() >= 0.95
    assert low[0] == 0 and high[-1] == 1
    assert high[0] == pytest.approx(1 - 0.025 ** (1 / 40))


def test_clopper_pearson_agrees_with_scipy():
    interval = stats.binomtest(7, 50).proportion_ci(0.99, method="exact")
    assert intervals.clopper_pearson(7, 50, error=0.01) == pytest.approx(tuple(interval))


def test_verdicts():
    assert intervals.at_most(0.0, 0.1, 0.1) == HOLDS
    assert intervals.at_most(0.0, 0.2, 0.1) == UNDECIDED
    assert intervals.at_most(0.15, 0.2, 0.1) == REFUTED
    assert intervals.near(-0.55, -0.45, -0.5, 0.1) == HOLDS
    assert intervals.near(-0.9, -0.45, -0.5, 0.1) == UNDECIDED
    assert intervals.near(-0.35, -0.3, -0.5, 0.1) == REFUTED
    assert intervals.together([HOLDS, HOLDS]) == HOLDS
    assert intervals.together([HOLDS, UNDECIDED]) == UNDECIDED
    assert intervals.together([UNDECIDED, REFUTED, HOLDS]) == REFUTED


def test_an_interval_that_is_not_a_number_never_holds():
    nan = float("nan")
    assert intervals.at_most(nan, nan, 1) == UNDECIDED
    assert intervals.near(nan, nan, 1, 1) == UNDECIDED


def test_slope_of_a_power_law():
    x = np.array([1.0, 3.0, 10.0])
    assert intervals.slope(x, 5 * x**-0.7) == pytest.approx(-0.7)


def test_bootstrap_slope_covers():
    generator, x, missed = np.random.default_rng(0), np.array([1.0, 2.0, 4.0, 8.0]), 0
    for seed in range(200):
        runs = x**-0.5 * np.exp(0.2 * generator.standard_normal((10, 4)))
        _, low, high = intervals.bootstrap_slope(x, runs, error=0.05, resamples=300, seed=seed)
        missed += not low <= -0.5 <= high
    assert missed <= 200 * 0.1


def test_mean_interval_agrees_with_scipy():
    samples = np.array([1.0, 4.0, 2.0, 8.0])
    interval = stats.ttest_1samp(samples, 0).confidence_interval(0.95)
    assert intervals.mean_interval(samples, 0.05)[1:] == pytest.approx(tuple(interval))
