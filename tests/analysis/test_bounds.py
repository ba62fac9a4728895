"""Bounds against cases that can be worked out by hand, and against their own limits."""

import math

import numpy as np
import pytest

from analysis.theory import bounds, regret
from analysis.theory import descent as theorems

SQUARES = np.array([1.0, 4.0, 9.0, 16.0])
BUCKETS = np.array([[0, 0, 1, 1], [0, 1, 1, 2]])


def descent(**changes):
    known = {
        "gap": 3.0,
        "smoothness": 2.0,
        "gradient_bounds": np.sqrt(SQUARES),
        "variances": np.full(4, 0.125),
        "lr": 0.4,
        "beta": 0.99 + 1e-12,  # lest rounding break √(1−β) ≤ ε/(4G)
        "eps": 1.6,
        "steps": 10,
    }
    return theorems.Descent(**known | changes)


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
    constants = theorems.linear_constants(BUCKETS, np.sqrt(SQUARES))
    assert constants.ceilings.tolist() == pytest.approx([1, 5, 13, 16])
    assert constants.collisions.tolist() == pytest.approx([4, 9, 16, 9])


def test_constants_of_a_conservative_sketch_by_brute_force():
    generator = np.random.default_rng(3)
    buckets = generator.integers(4, size=(3, 20))
    squares = generator.exponential(size=20)
    constants = theorems.conservative_constants(buckets, np.sqrt(squares))
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
    linear = theorems.linear_constants(buckets, gradient_bounds)
    sharper = theorems.conservative_constants(buckets, gradient_bounds)
    assert (sharper.ceilings <= linear.ceilings).all()
    assert (sharper.collisions <= linear.collisions).all()
    assert sharper.ceilings.max() == pytest.approx((gradient_bounds**2).max())


def test_conditions():
    assert theorems.conditions_hold(descent(eps=1.61))
    assert not theorems.conditions_hold(descent(lr=0.41))
    assert not theorems.conditions_hold(descent(beta=0.98))


def test_theorems_by_hand():
    """G = 4, ‖G‖² = 30, n = 4, √(1−β) = 0.1, G√(1−β)/ε² = 0.15625, Lη/(2ε²) = 0.15625."""
    run = descent()
    start, drift = 3 / 4, 0.15625
    constants = theorems.linear_constants(BUCKETS, run.gradient_bounds)
    factor = 2 * (math.sqrt(0.99 * 16) + 1.6)
    expected = factor * (start + 2 * drift * 0.5 + drift * 38)
    assert theorems.theorem_additive(run, constants) == pytest.approx(expected)
    assert theorems.theorem_linear(run, BUCKETS) <= expected
    rate = 0.25  # ε₁ n = 1
    printed = 2 * (math.sqrt(0.99) * 4 + 1.6) * (start + 3 * drift * 0.5 + drift * 30)
    assert theorems.theorem_4_1(run, rate) == pytest.approx(printed)


def test_an_injective_hash_leaves_the_exact_bound():
    run = descent()
    apart = np.array([[3, 1, 0, 2], [0, 1, 2, 3]])
    exact = theorems.exact_bound(run)
    assert theorems.theorem_linear(run, apart) == pytest.approx(exact)
    assert theorems.theorem_conservative(run, apart) == pytest.approx(exact)
    assert theorems.theorem_linear(run, BUCKETS) > exact


def test_conservative_bound_is_the_sharper_one():
    together = np.zeros((1, 4), int)
    run = descent()
    assert theorems.theorem_conservative(run, together) < theorems.theorem_linear(run, together)


def test_collisions_are_within_their_expectation():
    generator = np.random.default_rng(5)
    gradient_bounds = generator.exponential(size=50)
    drawn = [
        theorems.linear_constants(generator.integers(10, size=(3, 50)), gradient_bounds)
        for _ in range(300)
    ]
    mean = np.mean([constants.collisions.sum() for constants in drawn])
    assert mean <= theorems.expected_collisions(10, 3, gradient_bounds)


def test_loads():
    assert bounds.largest_nonnegative_load(0.9) == pytest.approx(10)
    assert bounds.unstable_load(0.999) == pytest.approx(2000)


def test_theorem_a_by_hand():
    """ε = 40, η = 4: ρ_i = 0.01·Γ_i/1600 and Lη/(2ε) = 0.1."""
    run = descent(eps=40.0, lr=4.0)
    constants = theorems.linear_constants(BUCKETS, run.gradient_bounds)
    assert constants.growths.tolist() == pytest.approx([5, 13, 25, 25])
    noise = sum(0.125 * (0.01 * growth / 1600 + 0.1) for growth in (5, 13, 25, 25)) / 40
    expected = 4 * (math.sqrt(0.99 * 16) + 40) * (3 / (4 * 10) + noise)
    assert theorems.theorem_exact_order(run, constants) == pytest.approx(expected)
    assert theorems.theorem_exact_order(descent(beta=0.5), constants) == math.inf


def test_theorem_b_by_hand():
    """ε = 1.6: ρ_i = 0.01·Γ_i/2.56, B = (1, 5, 13, 16), 1.5·Lη = 1.2."""
    run = descent()
    constants = theorems.linear_constants(BUCKETS, run.gradient_bounds)
    noise = sum(
        0.125 * (2 * 0.01 * growth / 2.56 * (math.sqrt(ceiling) + 1.6) + 1.2)
        for growth, ceiling in zip((5, 13, 25, 25), (1, 5, 13, 16))
    )
    expected = 2 * (4 + 1.6) * (0.75 + noise / 2.56)
    assert theorems.theorem_no_floor(run, constants) == pytest.approx(expected)
    assert theorems.theorem_no_floor(descent(lr=0.41), constants) == math.inf
    still = run._replace(variances=np.zeros(4), steps=10**9)
    assert theorems.theorem_no_floor(still, constants) < 1e-6


def test_conservative_growths_are_maxima():
    constants = theorems.conservative_constants(BUCKETS, np.sqrt(SQUARES))
    assert constants.growths.tolist() == pytest.approx([4, 9, 16, 16])


def test_the_key_step_of_both_theorems():
    """√v̂_t − √(βv̂_{t−1}) ≤ √((1−β)(g² + κ)) for every estimate that F2 and F4 allow."""
    generator = np.random.default_rng(6)
    before, squares, collisions = generator.exponential(size=(3, 100_000)) ** 3
    beta = generator.random(100_000)
    gained = (1 - beta) * (squares + collisions * generator.random(100_000))
    left = np.sqrt(beta * before + gained) - np.sqrt(beta * before)
    assert (left <= np.sqrt((1 - beta) * (squares + collisions)) * (1 + 1e-12)).all()


def test_bursts_that_collide():
    assert theorems.burst_residual(3, 2.0, 0.75, 2.0) == pytest.approx(0.5)
    assert theorems.burst_residual(10**9, 1.0, 0.9, 1.0) > 0.99


def test_regret_by_hand():
    found = regret.adagrad_regret([2.0, 1.0], [4.0, 9.0], [1.0, 4.0], lr=0.5)
    assert found == pytest.approx((4 * 2 + 1 * 3) / 1.0 + 0.5 * 3)
    assert regret.sm3_regret([2.0, 1.0], [4.0, 9.0], lr=0.5) == pytest.approx(11 + 0.5 * 5)


def test_medians():
    values = np.ones(8)
    assert bounds.row_variance(values, 64) == 1 / 8
    assert bounds.median_of_three_variance(values, 64) == pytest.approx(3 / 64)
    assert bounds.median_of_many_variance(values, 8, 1) == pytest.approx(1, rel=1e-3)
    drawn = np.random.default_rng(7).standard_normal((200_000, 5))
    expected = np.median(drawn, axis=1).var()
    assert bounds.median_of_many_variance(values, 8, 5) == pytest.approx(expected, rel=0.02)


def test_best_head_by_brute_force():
    generator = np.random.default_rng(8)
    for _ in range(50):
        values = np.sort(generator.exponential(size=30) ** 3)[::-1]
        errors = [bounds.head_error(values, head, 12) for head in range(12)]
        assert bounds.head_error(values, bounds.best_head(values, 12), 12) == min(errors)
