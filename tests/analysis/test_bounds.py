"""Bounds against cases that can be worked out by hand, and against their own limits."""

import math

import numpy as np
import pytest

from analysis.theory import bounds

SQUARES = np.array([1.0, 4.0, 9.0, 16.0])
BUCKETS = np.array([[0, 0, 1, 1], [0, 1, 1, 2]])


def descent(**changes):
    known = {
        "gap": 3.0,
        "smoothness": 2.0,
        "gradient_bounds": np.sqrt(SQUARES),
        "variance": 0.5,
        "lr": 0.4,
        "beta": 0.99,
        "eps": 1.6,
        "steps": 10,
    }
    return bounds.Descent(**known | changes)


def test_a_row_of_a_count_sketch():
    assert bounds.count_sketch_row_failure(300, 0.1) == pytest.approx(1 / 3)
    assert bounds.count_sketch_row_failure(1, 0.5) == 1


@pytest.mark.parametrize(("depth", "failure"), [(1, 1 / 3), (2, 5 / 9), (3, 7 / 27), (5, 51 / 243)])
def test_median_of_rows_that_fail_a_third_of_the_time(depth, failure):
    assert bounds.median_failure(1 / 3, depth) == pytest.approx(failure)
    assert bounds.count_sketch_failure(300, depth, 0.1) == pytest.approx(failure)


def test_tail_form_is_a_third_a_row_at_its_constants():
    assert bounds.count_sketch_tail_failure(600, 1, 0.1, heavy=100) == pytest.approx(1 / 3)


def test_count_min_at_its_width():
    width = 272
    assert bounds.count_min_failure(width, 4, math.e / width) == pytest.approx(math.exp(-4))


def test_constants_of_a_linear_sketch():
    constants = bounds.linear_constants(BUCKETS, np.sqrt(SQUARES))
    assert constants.ceilings.tolist() == pytest.approx([1, 5, 13, 16])
    assert constants.collisions.tolist() == pytest.approx([4, 9, 16, 9])


def test_constants_of_a_conservative_sketch_by_brute_force():
    generator = np.random.default_rng(3)
    buckets = generator.integers(4, size=(3, 20))
    squares = generator.exponential(size=20)
    constants = bounds.conservative_constants(buckets, np.sqrt(squares))
    for i in range(20):
        mates = [np.flatnonzero(row == row[i]) for row in buckets]
        ceiling = min(squares[rows].max() for rows in mates)
        others = [squares[rows[rows != i]] for rows in mates]
        assert constants.ceilings[i] == pytest.approx(ceiling)
        assert constants.collisions[i] == pytest.approx(max(o.max(initial=0) for o in others))


def test_conservative_constants_never_exceed_linear_ones():
    generator = np.random.default_rng(4)
    buckets = generator.integers(5, size=(3, 40))
    gradient_bounds = generator.exponential(size=40)
    linear = bounds.linear_constants(buckets, gradient_bounds)
    sharper = bounds.conservative_constants(buckets, gradient_bounds)
    assert (sharper.ceilings <= linear.ceilings).all()
    assert (sharper.collisions <= linear.collisions).all()
    assert sharper.ceilings.max() == pytest.approx((gradient_bounds**2).max())


def test_conditions():
    assert bounds.conditions_hold(descent(eps=1.61))
    assert not bounds.conditions_hold(descent(lr=0.41))
    assert not bounds.conditions_hold(descent(beta=0.98))


def test_theorems_by_hand():
    """G = 4, ‖G‖² = 30, n = 4, √(1−β) = 0.1, G√(1−β)/ε² = 0.15625, Lη/(2ε²) = 0.15625."""
    run = descent()
    start, drift = 3 / 4, 0.15625
    constants = bounds.linear_constants(BUCKETS, run.gradient_bounds)
    factor = 2 * (math.sqrt(0.99 * 16) + 1.6)
    expected = factor * (start + 2 * drift * 0.5 + drift * 38)
    assert bounds.theorem_any_stream(run, constants) == pytest.approx(expected)
    assert bounds.theorem_linear(run, BUCKETS) == pytest.approx(expected)
    rate = 0.25  # ε₁ n = 1
    printed = 2 * (math.sqrt(0.99) * 4 + 1.6) * (start + 3 * drift * 0.5 + drift * 30)
    assert bounds.theorem_4_1(run, rate) == pytest.approx(printed)


def test_an_injective_hash_leaves_the_exact_bound():
    run = descent()
    apart = np.array([[3, 1, 0, 2], [0, 1, 2, 3]])
    exact = bounds.exact_bound(run)
    assert bounds.theorem_linear(run, apart) == pytest.approx(exact)
    assert bounds.theorem_conservative(run, apart) == pytest.approx(exact)
    assert bounds.theorem_linear(run, BUCKETS) > exact


def test_conservative_bound_is_the_sharper_one():
    together = np.zeros((1, 4), int)
    run = descent()
    assert bounds.theorem_conservative(run, together) < bounds.theorem_linear(run, together)


def test_collisions_are_within_their_expectation():
    generator = np.random.default_rng(5)
    gradient_bounds = generator.exponential(size=50)
    drawn = [
        bounds.linear_constants(generator.integers(10, size=(3, 50)), gradient_bounds)
        for _ in range(300)
    ]
    mean = np.mean([constants.collisions.sum() for constants in drawn])
    assert mean <= bounds.expected_collisions(10, 3, gradient_bounds)


def test_loads():
    assert bounds.largest_nonnegative_load(0.9) == pytest.approx(10)
    assert bounds.unstable_load(0.999) == pytest.approx(2000)
