"""The training loop that all tasks share: rates, gradients of both kinds, divergence, seeds."""

import math

import numpy as np
import pytest

import sketchlab as sl
from analysis.problems.sampled_softmax import Sparse
from analysis.training.loop import Losses, Step, optimizers_of, sequences, shuffled, train

SETTINGS = {
    "family": "RMSprop",
    "learning_rate": 0.5,
    "stores": {"v": {"kind": "CountMinSketch", "width": 1, "depth": 1}},
    "options": {},
    "seed": 0,
    "replicate": 1,
}


def tables():
    return np.zeros((3, 2)), np.zeros((2, 2))


def constant(losses):
    """A gradient of ones for two tables, sparse and dense, with these losses."""
    given = iter(losses)
    return lambda: (next(given), Sparse(np.array([1]), np.ones((1, 2))), np.ones(4))


def test_gradients_move_tables_sparsely_and_densely():
    first, second = tables()
    optimizers = [sl.SGD(table, 0.5, backend="reference") for table in (first, second)]
    steps = list(train(optimizers, constant([1.0, 2.0]), 2))
    np.testing.assert_array_equal(first, [[0, 0], [-1, -1], [0, 0]])
    np.testing.assert_array_equal(second, np.full((2, 2), -1.0))
    assert [(step.number, step.loss) for step in steps] == [(1, 1.0), (2, 2.0)]


def test_the_rate_falls_linearly_to_zero_or_stays():
    optimizers = [sl.SGD(table, 0.5, backend="reference") for table in tables()]
    for rate, wanted in ((2.0, np.linspace(2.0, 0.2, 10)), (None, np.full(10, 0.5))):
        for optimizer in optimizers:
            optimizer.lr = 0.5
        seen = [optimizers[1].lr for _ in train(optimizers, constant([1.0] * 10), 10, rate)]
        np.testing.assert_allclose(seen, wanted)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_run_before_its_step(loss):
    first, second = tables()
    optimizers = [sl.SGD(table, 0.5, backend="reference") for table in (first, second)]
    steps = list(train(optimizers, constant([1.0, loss, 1.0]), 3))
    assert [step.finite for step in steps] == [True, False]
    np.testing.assert_array_equal(second, np.full((2, 2), -0.5))


def test_losses_are_means_of_equal_parts_and_of_the_rest():
    losses = Losses(steps=7, parts=3)
    for number in range(1, 8):
        losses.add(Step(number, float(number), []))
    assert losses.means == [1.5, 3.5, 5.5, 7.0] and losses.finite
    losses = Losses(steps=4, parts=2)
    for number, loss in enumerate((1.0, 2.0, 4.0, math.nan), 1):
        losses.add(Step(number, loss, []))
    assert losses.plain() == [1.5, None] and not losses.finite


def test_an_epoch_is_every_example_once():
    batches = shuffled(50, 8, np.random.default_rng(0))
    epoch = np.concatenate([next(batches) for _ in range(6)])
    assert len(set(epoch.tolist())) == 48
    again = np.concatenate([next(batches) for _ in range(6)])
    assert len(set(again.tolist())) == 48 and (again != epoch).any()


def test_stores_have_hash_functions_of_their_own_and_small_parts_exact_state():
    hashing, other = sequences(SETTINGS, 2)
    made = optimizers_of(SETTINGS, hashing, tables(), [np.zeros(2)])
    hashes = [optimizer.v.constants.tobytes() for optimizer in made[:2]]
    again = [each.v.constants.tobytes() for each in optimizers_of(SETTINGS, hashing, tables())]
    different = optimizers_of(SETTINGS, other, tables())[0].v.constants.tobytes()
    assert len({*hashes, different}) == 3
    assert hashes == again
    assert isinstance(made[2].v, type(sl.Dense().allocate(2, 1)))


def test_runs_differ_by_seed_and_by_replicate():
    states = {
        tuple(sequences(SETTINGS | changes, 2)[1].generate_state(2).tolist())
        for changes in ({}, {"seed": 1}, {"replicate": 2})
    }
    assert len(states) == 3
