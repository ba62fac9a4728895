"""The contract of torch.optim.Optimizer: groups, options, closures, hooks, schedulers, compile."""

from inspect import signature

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler
from toys import (
    OPTIMIZERS,
    SKETCHED,
    assert_same_bits,
    dense,
    draw,
    rows_and_values,
    run,
    sketches,
    sparse,
    table,
    tagger,
    train,
)

import sketchlab as sl
import sketchlab.torch as slt


@pytest.mark.parametrize("cls", [slt.SGD, slt.Momentum, slt.Adagrad, slt.RMSprop, slt.Adam])
def test_arguments_and_defaults_are_the_librarys(cls):
    own, common = signature(cls).parameters, signature(slt.Optimizer.__init__).parameters
    ours, theirs = {**common, **own}, signature(cls.kind).parameters
    more = {"self", "params", "options", "common", "maximize", "min_numel"}
    assert set(ours) - more == set(theirs) - {"table", "backend"}
    for name in cls.arguments:
        assert ours[name].default == theirs[name].default, name


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_learns(name):
    cls, options = OPTIMIZERS[name]
    model, opt = tagger(cls, **options)
    losses = train(model, opt, 120)
    assert np.mean(losses[-20:]) < 0.9 * np.mean(losses[:20])


# -- groups and options ----------------------------------------------------------------------------


def test_a_model_passes_whole_and_small_parameters_stay_exact():
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Linear(64, 63))
    opt = slt.Adam(model.parameters(), **SKETCHED)
    kinds = [type(opt.stores(p)["m"].description).__name__ for p in model.parameters()]
    assert [p.numel() for p in model.parameters()] == [4096, 64, 4032, 63]
    assert kinds == ["CountSketch", "Dense", "Dense", "Dense"]


def test_min_numel_is_an_option_of_a_group():
    first, second = table((30, 2)), table((30, 2))
    groups = [{"params": [first], "min_numel": 60}, {"params": [second], "min_numel": 61}]
    opt = slt.Momentum(groups, lr=0.1, m=sl.CountSketch())
    assert type(opt.stores(first)["m"].description) is sl.CountSketch
    assert type(opt.stores(second)["m"].description) is sl.Dense


@pytest.mark.parametrize(
    ("store", "exact"),
    [
        (sl.CountSketch(decay="global"), sl.Dense(decay="global")),
        (sl.CountSketch(row_weights=True), sl.Dense(row_weights=True)),
        (sl.CountSketch(shrink=True), sl.Dense(row_weights=True)),
        (sl.HeadTail(tail=sl.CountSketch(shrink=True)), sl.Dense(row_weights=True)),
        (sl.CountSketch(decay="bucket"), sl.Dense()),
        (sl.Dense(decay="global"), sl.Dense(decay="global")),
    ],
)
def test_a_small_parameter_decays_as_its_group(store, exact):
    parameter = table((3, 2))
    opt = slt.Momentum([parameter], lr=0.1, m=store)
    assert opt.stores(parameter)["m"].description == exact


CHANGES = {
    "lr": 0.5,
    "betas": (0.3, 0.6),
    "eps": 0.5,
    "weight_decay": 0.7,
    "maximize": True,
    "clip": "feasible",
}


@pytest.mark.parametrize("option", CHANGES)
def test_an_option_is_read_at_every_step(option):
    """Changed between two steps it does what it does in the library, or negated gradients do."""
    value = CHANGES[option]
    parameter, options = table((9, 2)), {"lr": 0.1, "eps": 1e-3}
    mirror = parameter.detach().numpy().copy()
    opt, core = slt.Adam([parameter], **options), sl.Adam(mirror, **options)
    grads = [dense(step, parameter) for step in range(2)]
    parameter.grad = grads[0]
    opt.step()
    core.step(grads[0].numpy())
    opt.param_groups[0][option] = value
    sign = 1.0
    if option == "maximize":
        sign = -1.0
    elif option == "clip":
        mirrored = sl.Adam(mirror, **options, clip=value)
        state = core.state_dict()
        mirrored.load_state_dict({**state, "rule": mirrored.state_dict()["rule"]})
        core = mirrored
    else:
        setattr(core, option, value)
    unchanged = mirror.copy()
    parameter.grad = grads[1]
    opt.step()
    core.step(sign * grads[1].numpy())
    assert not np.array_equal(mirror, unchanged)
    np.testing.assert_array_equal(parameter.detach().numpy(), mirror)


def test_momentum_and_nesterov_are_read_at_every_step():
    parameter = table((9, 2))
    mirror = parameter.detach().numpy().copy()
    opt, core = slt.Momentum([parameter], lr=0.1), sl.Momentum(mirror, 0.1)
    for step, (momentum, nesterov) in enumerate([(0.9, False), (0.2, False), (0.2, True)]):
        opt.param_groups[0].update(momentum=momentum, nesterov=nesterov)
        core.momentum, core.nesterov = momentum, nesterov
        parameter.grad = dense(step, parameter)
        opt.step()
        core.step(parameter.grad.numpy())
        np.testing.assert_array_equal(parameter.detach().numpy(), mirror)


def test_check_finite_is_an_option():
    parameter = table((4, 2))
    opt = slt.SGD([parameter], lr=0.1, check_finite=True)
    parameter.grad = torch.full((4, 2), torch.nan)
    with pytest.raises(sl.InputError, match="finite"):
        opt.step()
    opt.param_groups[0]["check_finite"] = False
    opt.step()
    assert parameter.isnan().all()


def test_rates_can_be_tensors():
    one, other = table((5, 3)), table((5, 3))
    opt = slt.Adam([one], lr=torch.tensor(0.25), betas=(torch.tensor(0.5), 0.75))
    reference = slt.Adam([other], lr=0.25, betas=(0.5, 0.75))
    one.grad = other.grad = dense(0, one)
    opt.step()
    reference.step()
    assert_same_bits([one], [other])


def test_groups_have_their_own_options():
    one, other = table((5, 3)), table((5, 3))
    opt = slt.SGD([{"params": [one], "lr": 0.5}, {"params": [other]}], lr=0.25)
    before = one.detach().clone()
    one.grad = other.grad = torch.ones(5, 3)
    opt.step()
    assert_same_bits([one, other], [before - 0.5, before - 0.25])


def test_a_group_can_be_added_and_a_failing_one_leaves_none():
    model, opt = tagger()
    train(model, opt, 2)
    state = opt.state_dict()
    late = table((300, 20))
    with pytest.raises(sl.ConfigurationError, match="parameter 0 of group 2"):
        opt.add_param_group({"params": [late], "m": sl.CountMinSketch()})
    assert len(opt.param_groups) == 2 and late not in opt.state
    assert opt.state_dict()["param_groups"] == state["param_groups"]
    opt.add_param_group({"params": [late], "m": sl.CountSketch()})
    before = late.detach().clone()
    late.grad = torch.ones_like(late)
    opt.step()
    assert not torch.equal(late, before)


def test_names_are_used_where_they_are_given():
    model, _ = tagger()
    opt = slt.Adam(model.named_parameters(), **SKETCHED)
    names = [entry.name for entry in opt.state_bytes().parameters]
    assert names == ["embedding.weight", "head.weight", "head.bias"]
    model.embedding.weight.grad = torch.zeros(1200, 4).to_sparse()
    with pytest.raises(sl.InputError, match=r"embedding.weight \(parameter 0 of group 0\).*sparse"):
        opt.step()


def test_parameters_without_gradients_or_numbers_are_passed_over():
    idle, empty, moved = table((5, 3)), torch.nn.Parameter(torch.zeros(0, 3)), table((5, 3))
    before = idle.detach().clone()
    opt = slt.Adam([idle, empty, moved])
    moved.grad, empty.grad = torch.ones(5, 3), torch.zeros(0, 3)
    opt.step()
    assert_same_bits([idle], [before])
    assert list(opt.state_dict()["state"]) == [2]


def test_state_that_was_cleared_starts_anew():
    model, opt = tagger()
    fresh, reference = tagger()
    train(model, opt, 3)
    opt.state.clear()
    fresh.load_state_dict(model.state_dict())
    train(model, opt, 3)
    train(fresh, reference, 3)
    assert_same_bits(model.parameters(), fresh.parameters())


# -- closures, hooks, zero_grad --------------------------------------------------------------------


def test_a_closure_is_called_once_with_gradients_enabled():
    parameter = table((3, 2))
    opt = slt.SGD([parameter], lr=0.5)
    calls = []

    def closure():
        calls.append(torch.is_grad_enabled())
        opt.zero_grad()
        loss = parameter.sum()
        loss.backward()
        return loss

    before = parameter.detach().clone()
    loss = opt.step(closure)
    assert calls == [True] and loss.item() == before.sum().item()
    assert_same_bits([parameter], [before - 0.5])


def test_hooks_run_in_order_around_a_step():
    parameter = table((3, 2))
    opt = slt.SGD([parameter], lr=0.5)
    before, seen = parameter.detach().clone(), []
    first = opt.register_step_pre_hook(lambda *_: seen.append(("pre", parameter[0, 0].item())))
    opt.register_step_post_hook(lambda *_: seen.append(("post", parameter[0, 0].item())))
    parameter.grad = torch.ones(3, 2)
    opt.step()
    start = before[0, 0].item()
    assert seen == [("pre", start), ("post", (before[0, 0] - 0.5).item())]
    first.remove()
    opt.step()
    assert [name for name, _ in seen] == ["pre", "post", "post"]


def test_hooks_of_states_run_and_can_replace_them():
    model, opt = tagger()
    train(model, opt, 2)
    seen = []
    opt.register_state_dict_pre_hook(lambda _: seen.append("before"))
    opt.register_state_dict_post_hook(lambda _, state: {**state, "note": "added"})
    state = opt.state_dict()
    assert seen == ["before"] and state["note"] == "added"

    other = tagger()[1]
    other.register_load_state_dict_pre_hook(lambda _, state: {**state, "state": {}})
    other.register_load_state_dict_post_hook(lambda opt: seen.append(opt))
    other.load_state_dict(state)
    assert seen[1] is other and other.state_dict()["state"] == {}


@pytest.mark.parametrize("to_none", [True, False])
def test_zero_grad(to_none):
    model, opt = tagger()
    train(model, opt, 1)
    opt.zero_grad(set_to_none=to_none)
    grads = [parameter.grad for parameter in model.parameters()]
    if to_none:
        assert grads == [None] * 3
    else:
        assert all(grad.to_dense().count_nonzero() == 0 for grad in grads)


# -- schedulers ------------------------------------------------------------------------------------

SCHEDULERS = {
    "StepLR": lambda opt: lr_scheduler.StepLR(opt, 2, gamma=0.5),
    "ExponentialLR": lambda opt: lr_scheduler.ExponentialLR(opt, 0.9),
    "CosineAnnealingLR": lambda opt: lr_scheduler.CosineAnnealingLR(opt, 6),
    "LinearLR": lambda opt: lr_scheduler.LinearLR(opt, 0.1, total_iters=4),
    "PolynomialLR": lambda opt: lr_scheduler.PolynomialLR(opt, 6),
    "LambdaLR": lambda opt: lr_scheduler.LambdaLR(opt, lambda step: 1 / (step + 1)),
    "OneCycleLR": lambda opt: lr_scheduler.OneCycleLR(opt, 0.1, total_steps=8),
    "CyclicLR": lambda opt: lr_scheduler.CyclicLR(opt, 0.01, 0.1, 3, cycle_momentum=True),
    "SequentialLR": lambda opt: lr_scheduler.SequentialLR(
        opt, [lr_scheduler.ConstantLR(opt, 0.1, 2), lr_scheduler.ExponentialLR(opt, 0.9)], [2]
    ),
}


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.filterwarnings("error::UserWarning:torch.optim.lr_scheduler")
def test_schedulers_set_rates_and_betas(name):
    """The steps are those of a run whose options are set by hand to what the scheduler says."""
    one, other = table((6, 2)), table((6, 2))
    opt, reference = slt.Adam([one], lr=0.05), slt.Adam([other], lr=0.05)
    schedule = SCHEDULERS[name](opt)
    rates = []
    for step in range(6):
        group = opt.param_groups[0]
        rates.append((group["lr"], group["betas"]))
        reference.param_groups[0].update(lr=group["lr"], betas=group["betas"])
        one.grad = other.grad = dense(step, one)
        opt.step()
        reference.step()
        schedule.step()
    assert len(set(rates)) > 2
    assert_same_bits([one], [other])


def test_a_plateau_lowers_the_rate():
    opt = slt.Adam([table((3, 2))], lr=0.5)
    schedule = lr_scheduler.ReduceLROnPlateau(opt, patience=1, factor=0.1)
    for _ in range(4):
        schedule.step(1.0)
    assert opt.param_groups[0]["lr"] == pytest.approx(0.05)


# -- torch.compile ---------------------------------------------------------------------------------


def test_a_compiled_model_trains_as_the_plain_one():
    plain, opt = tagger()
    train(plain, opt, 4)
    model, opt = tagger()
    compiled = torch.compile(model, backend="eager")
    for step in range(4):
        words = draw(1200, torch.Generator().manual_seed(step))
        opt.zero_grad()
        torch.nn.functional.cross_entropy(compiled(words), words % 3).backward()
        opt.step()
    assert_same_bits(model.parameters(), plain.parameters())


def test_a_compiled_training_step_leaves_the_optimizers_step_alone():
    plain, opt = tagger()
    train(plain, opt, 4)
    model, opt = tagger()

    @torch.compile(backend="eager")
    def step(words):
        torch.nn.functional.cross_entropy(model(words), words % 3).backward()
        opt.step()

    for number in range(4):
        opt.zero_grad()
        step(draw(1200, torch.Generator().manual_seed(number)))
    assert_same_bits(model.parameters(), plain.parameters())


# -- a step is whole -------------------------------------------------------------------------------


def test_a_bad_gradient_of_one_parameter_leaves_all_as_they_were():
    good, bad = table(seed=1), table((50, 2), seed=2)
    opt = slt.Adam([good, bad], **sketches(slt.Adam))
    run(opt, [good, bad], 3)
    state, before = opt.state_dict(), [good.detach().clone(), bad.detach().clone()]
    good.grad = sparse(*rows_and_values(9, good.shape), good)
    bad.grad = torch.sparse_coo_tensor([[49, 0], [0, 1]], [1.0, 2.0], (50, 2))
    with pytest.raises(sl.InputError, match=r"parameter 1 of group 0: its gradient is sparse in 2"):
        opt.step()
    assert_same_bits([good, bad], before)
    after = opt.state_dict()
    for place in (0, 1):
        assert after["state"][place]["step_count"] == 3
        for key in ("m.cells", "v.cells"):
            assert torch.equal(after["state"][place][key], state["state"][place][key])


def test_a_step_that_fails_halfway_is_known_until_a_state_is_loaded(monkeypatch):
    model, opt = tagger()
    train(model, opt, 2)
    state = opt.state_dict()
    core = opt.state[model.head.weight]["kept"].core
    monkeypatch.setattr(core._backend, "step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(model, opt, 1)
    for refused in (opt.step, opt.state_dict, lambda: __import__("copy").deepcopy(opt)):
        with pytest.raises(sl.TornStepError, match="interrupted"):
            refused()
    opt.load_state_dict(state)
    train(model, opt, 1)


def test_ctrl_c_comes_after_the_step_of_the_last_parameter(monkeypatch):
    import signal

    model, opt = tagger()
    train(model, opt, 1)
    first = opt.state[model.embedding.weight]["kept"]
    take = first.core.take

    def interrupted(given):
        signal.raise_signal(signal.SIGINT)
        take(given)

    monkeypatch.setattr(
        type(first.core),
        "take",
        lambda core, given: (
            interrupted(given) if core is first.core else take.__func__(core, given)
        ),
    )
    with pytest.raises(KeyboardInterrupt):
        train(model, opt, 1)
    counts = {entry["step_count"] for entry in opt.state_dict()["state"].values()}
    assert counts == {2}


# -- reporting -------------------------------------------------------------------------------------


def test_bytes_in_all_and_by_parameter():
    opt = tagger(slt.Adam)[1]
    sizes = opt.state_bytes()
    table_bytes = 2 * 4 * 3 * 80 * 4  # two sketches of depth 3 and width 80, 4 columns, float32
    assert [entry.kept for entry in sizes.parameters] == [table_bytes, 2 * 4 * 12, 2 * 4 * 3]
    assert [entry.exact for entry in sizes.parameters] == [2 * 4 * 4800, 2 * 4 * 12, 2 * 4 * 3]
    assert sizes.kept == sum(entry.kept for entry in sizes.parameters)
    assert sizes.exact == sum(entry.exact for entry in sizes.parameters)
    assert slt.SGD([table()], lr=1.0).state_bytes()[:2] == (0, 0)


def test_repr_shows_how_every_parameter_is_kept():
    opt = tagger()[1]
    conv = torch.nn.Parameter(torch.zeros(4, 3, 2, 2))
    opt.add_param_group({"params": [conv]})
    shown = repr(opt)
    assert "(1200, 4) seen as 1200 x 4, m=CountSketch(" in shown
    assert "(4, 3, 2, 2) seen as 4 x 12, m=Dense(" in shown
    assert "(3,) seen as 3 x 1, " in shown
    assert "lr: 0.01" in shown
