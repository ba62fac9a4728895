"""Every problem's gradient, bounds and minimum, by finite differences and by looking around."""

import numpy as np
import pytest

from analysis.problems.bowls import Bowls
from analysis.problems.linear_models import HuberRegression, SparseLeastSquares, SparseLogistic
from analysis.problems.softmax_regression import SoftmaxRegression


def linear(kind):
    return lambda: kind(30, 200, 4, 1.1, np.random.default_rng(1), batch=3)


MAKERS = {
    "bowls": lambda: Bowls(np.linspace(0.2, 1, 30), noise=0.3),
    "bowls, sparse": lambda: Bowls(np.linspace(0.2, 1, 30), noise=0.3, touched=0.4),
    "huber": linear(HuberRegression),
    "least squares": linear(SparseLeastSquares),
    "logistic": linear(SparseLogistic),
    "softmax": lambda: SoftmaxRegression(12, 4, 80, np.random.default_rng(1), batch=3),
}


@pytest.fixture(params=MAKERS)
def problem(request):
    return MAKERS[request.param]()


@pytest.fixture
def generator():
    return np.random.default_rng(7)


def somewhere(problem, generator):
    return generator.uniform(-2, 2, size=problem.start().shape)


def test_gradient_is_that_of_the_value(problem, generator):
    for _ in range(5):
        x = somewhere(problem, generator)
        direction = generator.standard_normal(x.shape)
        h = 1e-6
        slope = (problem.value(x + h * direction) - problem.value(x - h * direction)) / (2 * h)
        assert slope.item() == pytest.approx((problem.gradient(x) * direction).sum(), abs=1e-7)


def test_gradient_is_lipschitz(problem, generator):
    for _ in range(50):
        x, y = somewhere(problem, generator), somewhere(problem, generator)
        y = x + (y - x) * 10.0 ** generator.uniform(-4, 0)
        change = np.linalg.norm(problem.gradient(x) - problem.gradient(y))
        assert change <= problem.smoothness * np.linalg.norm(x - y) * (1 + 1e-9)


def test_minimum(problem, generator):
    best = getattr(problem, "planted", np.zeros(problem.size)).reshape(problem.start().shape)
    assert problem.value(best).item() == pytest.approx(problem.minimum, abs=1e-12)
    assert np.abs(problem.gradient(best)).max() < 1e-12
    for _ in range(50):
        x = best + 10.0 ** generator.uniform(-3, 1) * generator.standard_normal(best.shape)
        assert problem.value(x).item() >= problem.minimum - 1e-12


def test_stochastic_gradient_is_unbiased_and_bounded(problem, generator):
    x = somewhere(problem, generator)
    draws = np.zeros((4000, *x.shape))
    for draw in draws:
        rows, values = problem.sample(x, generator)
        np.add.at(draw, rows, values)
    bound = problem.gradient_bounds.reshape(len(x), 1)
    assert (np.abs(draws) <= bound * (1 + 1e-12)).all()
    exact, variance = problem.gradient(x), draws.var(axis=0)
    assert (np.abs(draws.mean(axis=0) - exact) <= 5 * np.sqrt(variance / 4000) + 1e-12).all()
    assert (variance <= problem.deviations[:, None] ** 2 * 1.15).all()


def test_columns_of_bowls_are_independent_copies(generator):
    problem = MAKERS["bowls"]()
    x = generator.standard_normal((30, 3))
    assert problem.value(x)[1] == pytest.approx(problem.value(x[:, 1:2]).item())
    _, values = problem.sample(x, generator)
    assert np.ptp(np.sign(values - problem.gradient(x)), axis=1).any()
