"""Hyper-parameters take effect when they are set, or setting them is refused."""

import numpy as np
import pytest

import sketchlab as sl

GRADS = [np.array([[1.0, -2.0], [0.5, 0.25]]), np.array([[0.5, 1.0], [-1.0, 2.0]])]

# optimizer: its settings, and for each number that can be set another value
OPTIMIZERS = {
    "SGD": ({"lr": 0.5}, {"lr": 0.25, "weight_decay": 0.5}),
    "Momentum": (
        {"lr": 0.5},
        {"lr": 0.25, "momentum": 0.5, "nesterov": True, "weight_decay": 0.5},
    ),
    "Adagrad": ({"lr": 0.5}, {"lr": 0.25, "eps": 0.5, "weight_decay": 0.5}),
    "RMSprop": ({"lr": 0.5}, {"lr": 0.25, "beta": 0.5, "eps": 0.5, "weight_decay": 0.5}),
    "Adam": (
        {"lr": 0.5},
        {"lr": 0.25, "betas": (0.5, 0.75), "eps": 0.5, "weight_decay": 0.5},
    ),
}
CASES = [(name, number) for name, (_, others) in OPTIMIZERS.items() for number in others]


def make(name, backend="reference", **changes):
    settings = OPTIMIZERS[name][0] | changes
    return getattr(sl, name)(np.ones((2, 2)), backend=backend, **settings)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize(("name", "number"), CASES)
def test_what_is_set_before_the_first_step_is_as_if_it_had_been_given(name, number, backend):
    value = OPTIMIZERS[name][1][number]
    late, early = make(name, backend), make(name, backend, **{number: value})
    setattr(late, number, value)
    assert getattr(late, number) == getattr(early, number) == value
    for opt in (late, early):
        for grads in GRADS:
            opt.step(grads)
    np.testing.assert_array_equal(late.table, early.table)
    assert not np.array_equal(late.table, stepped(make(name, backend)).table)


def stepped(opt):
    for grads in GRADS:
        opt.step(grads)
    return opt


@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_schedule_takes_effect_at_the_next_step(name, number):
    opt, constant = make(name), make(name)
    for each in (opt, constant):
        each.step(GRADS[0])
    np.testing.assert_array_equal(opt.table, constant.table)
    setattr(opt, number, OPTIMIZERS[name][1][number])
    for each in (opt, constant):
        each.step(GRADS[1])
    assert not np.array_equal(opt.table, constant.table)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("other", ["learning_rate", "beta1", "step_count", "rule", "m", "nbytes"])
def test_what_would_have_no_effect_cannot_be_set(name, other):
    opt = make(name)
    known = ", ".join(sorted([*OPTIMIZERS[name][1], "check_finite", "table"]))
    with pytest.raises(AttributeError, match=f"{other} of {name} cannot be set.*is {known}"):
        setattr(opt, other, 0.5)


@pytest.mark.parametrize(
    ("name", "number", "value"),
    [
        ("SGD", "lr", -1),
        ("SGD", "weight_decay", -0.5),
        ("SGD", "weight_decay", np.nan),
        ("Momentum", "momentum", 1.0),
        ("Momentum", "nesterov", 1),
        ("Adagrad", "eps", "small"),
        ("RMSprop", "beta", np.inf),
        ("Adam", "betas", 0.9),
        ("Adam", "betas", (0.9, 1.0)),
    ],
)
def test_a_value_out_of_range_is_refused_and_the_old_one_kept(name, number, value):
    opt = make(name)
    before = getattr(opt, number)
    with pytest.raises(sl.ConfigurationError, match=number):
        setattr(opt, number, value)
    assert getattr(opt, number) == before
    with pytest.raises(sl.ConfigurationError, match=number):
        make(name, **{number: value})


def test_weight_decay_moves_the_rows_of_a_step_only():
    table = np.ones((4, 2), np.float32)
    opt = sl.SGD(table, 0.5, weight_decay=0.5)
    opt.step(np.zeros((1, 2)), rows=[2])
    assert table[:, 0].tolist() == [1, 1, 0.75, 1]
    opt.step(np.zeros((4, 2)))
    assert table[:, 0].tolist() == [0.75, 0.75, 0.5625, 0.75]


def test_a_representation_names_what_differs_from_the_defaults():
    table = np.zeros((4, 2), np.float32)
    assert repr(sl.Adam(table)) == "<Adam on (4, 2), lr=0.001>"
    opt = sl.Adam(table, betas=(0.5, 0.9), v=sl.Dense(decay="global"))
    kept = "Dense(decay='global', row_weights=False, cells=None)"
    assert repr(opt) == f"<Adam on (4, 2), lr=0.001, v={kept}, betas=(0.5, 0.9)>"
