"""The search for a learning rate."""

import math

import pytest

from analysis.training import rates


def search(score, tries, base=0.1):
    tried = {rate: score(rate) for rate in rates.first_rates(base)}
    while len(tried) < tries:
        rate = rates.next_rate(tried)
        assert rate not in tried
        tried[rate] = score(rate)
    return tried


@pytest.mark.parametrize("best", [0.0004, 0.02, 0.1, 0.13, 3.0, 50.0])
def test_search_closes_in_on_the_best_rate(best):
    tried = search(lambda rate: abs(math.log(rate / best)), 12)
    assert min(tried) < best < max(tried)
    assert rates.best_rate(tried) == pytest.approx(best, rel=0.3)


def test_search_leaves_rates_that_diverge():
    tried = search(lambda rate: math.inf if rate > 0.001 else 1 / rate, 9)
    assert 0.0002 < rates.best_rate(tried) <= 0.001


def test_search_goes_down_where_everything_diverges():
    assert rates.next_rate(dict.fromkeys([1.0, 4.0, 16.0], math.inf)) == 0.25


def test_first_rates():
    assert rates.first_rates(0.1) == pytest.approx([0.025, 0.1, 0.4])
