"""State in and out: plain, whole, equal to the bit, and refused where it does not fit."""

import copy
import io
import pickle

import pytest
import torch
from toys import OPTIMIZERS, SKETCHED, assert_same_bits, dense, run, sketches, table, tagger, train

import sketchlab as sl
import sketchlab.torch as slt


def through_file(state, **arguments):
    """What `torch.load` gives back of what `torch.save` wrote."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, **{"weights_only": True, **arguments})


def entries(value):
    """All leaves of a state."""
    if isinstance(value, dict):
        assert all(type(key) in (str, int) for key in value)
        for entry in value.values():
            yield from entries(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from entries(entry)
    else:
        yield value


def assert_same_state(one, other):
    """Two states hold the same keys and the same bits."""
    assert one["param_groups"] == other["param_groups"]
    assert one["state"].keys() == other["state"].keys()
    for place, state in one["state"].items():
        assert state.keys() == other["state"][place].keys()
        for key, value in state.items():
            theirs = other["state"][place][key]
            same = torch.equal(value, theirs) if torch.is_tensor(value) else value == theirs
            assert same, (place, key)


STORES = {
    "sketched": SKETCHED,
    "head and tail": {
        "m": sl.HeadTail(tail=sl.CountSketch(seed=2**64 - 1)),
        "v": sl.HeadTail(tail=sl.CountMinSketch(), rows="frequent", every=2),
    },
    "shrunken": {"m": sl.CountSketch(shrink=True)},
    "cleaned": {"v": sl.CountMinSketch(clean=sl.Clean(0.5, 2))},
    "8 bit, rank 1": {"m": sl.Quantized(), "v": sl.Rank1()},
}


@pytest.mark.parametrize("stores", STORES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_resumed_run_is_the_same_to_the_bit(stores, dtype):
    def build():
        parameters = [table(dtype=dtype), table((70,), dtype)]
        return parameters, slt.Adam(parameters, lr=0.01, weight_decay=0.01, **STORES[stores])

    straight, reference = build()
    run(reference, straight, 9)

    first, opt = build()
    run(opt, first, 5)
    state, tables = opt.state_dict(), [p.detach().clone() for p in first]
    run(opt, first, 2, first=5)  # the state is a copy: this must not reach it
    second, resumed = build()
    resumed.load_state_dict(through_file(state))
    with torch.no_grad():
        for parameter, saved in zip(second, tables):
            parameter.copy_(saved)
    run(resumed, second, 4, first=5)

    assert_same_bits(second, straight)
    assert_same_state(resumed.state_dict(), reference.state_dict())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_states_are_plain(name):
    cls, options = OPTIMIZERS[name]
    model, opt = tagger(cls, **options)
    train(model, opt, 2)
    state = opt.state_dict()
    kinds = {type(entry) for entry in entries(state)}
    assert kinds <= {torch.Tensor, int, float, str, bool, type(None)}
    assert_same_state(through_file(state), state)


def test_groups_come_back_with_their_numbers():
    model, opt = tagger()
    train(model, opt, 2)
    opt.param_groups[0].update(lr=0.125, betas=(0.5, 0.25), name="table")
    opt.param_groups[1].update(weight_decay=0.5, maximize=True)
    other = tagger()[1]
    other.load_state_dict(through_file(opt.state_dict()))
    for group, theirs in zip(other.param_groups, opt.param_groups):
        plain = {key: value for key, value in theirs.items() if key != "params"}
        assert {key: value for key, value in group.items() if key != "params"} == plain
    assert other.param_groups[0]["v"] == SKETCHED["v"]  # a store, not its dict


def test_a_scheduler_and_its_optimizer_resume_together():
    def build():
        model, opt = tagger(lr=0.05)
        return model, opt, torch.optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps=12)

    def go(model, opt, schedule, steps, first=0):
        for step in range(first, first + steps):
            train(model, opt, 1, first=step)
            schedule.step()

    straight = build()
    go(*straight, 8)
    broken = build()
    go(*broken, 3)
    resumed = build()
    for one, saved in zip(resumed, through_file([part.state_dict() for part in broken])):
        one.load_state_dict(saved)
    go(*resumed, 5, first=3)
    assert_same_bits(resumed[0].parameters(), straight[0].parameters())


def test_before_the_first_step_a_state_is_empty_and_loads():
    """As Accelerate does it: it loads what it has got, when it takes the optimizer over."""
    model, opt = tagger()
    state = opt.state_dict()
    assert state["state"] == {}
    opt.load_state_dict(state)
    plain, reference = tagger()
    train(model, opt, 3)
    train(plain, reference, 3)
    assert_same_bits(model.parameters(), plain.parameters())
    opt.load_state_dict(state)  # and an empty state starts anew
    assert opt.state_dict()["state"] == {}


def test_cells_keep_their_dtype_whatever_the_parameters():
    parameter = table(dtype=torch.bfloat16)
    opt = slt.Adam([parameter], **SKETCHED)
    run(opt, [parameter], 2)
    other = slt.Adam([table(dtype=torch.bfloat16)], **SKETCHED)
    other.load_state_dict(opt.state_dict())
    state = other.state_dict()["state"][0]
    assert {state[key].dtype for key in ("m.cells", "v.cells", "master")} == {torch.float32}
    assert_same_state(other.state_dict(), opt.state_dict())


def test_states_that_were_moved_to_a_parameters_device_load():
    """Some callers move all tensors of a state; those must not be cast or lost."""
    model, opt = tagger()
    train(model, opt, 2)
    state = opt.state_dict()
    moved = {
        place: {
            key: value.to("cpu") if torch.is_tensor(value) else value for key, value in s.items()
        }
        for place, s in state["state"].items()
    }
    other = tagger()[1]
    other.load_state_dict({**state, "state": moved})
    assert_same_state(other.state_dict(), state)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda pair: pickle.loads(pickle.dumps(pair)),
    "torch.save": lambda pair: through_file(pair, weights_only=False),
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_copies_are_whole(kind, dtype):
    parameters = [table(dtype=dtype), table((9,), dtype)]
    opt = slt.Adam(parameters, **SKETCHED)
    run(opt, parameters, 3)
    opt.param_groups[0]["betas"] = (0.5, 0.25)  # changed since the last step
    others, copied = COPIES[kind]((parameters, opt))
    assert_same_state(copied.state_dict(), opt.state_dict())
    assert repr(copied) == repr(opt) and copied.state_bytes() == opt.state_bytes()
    for chosen, tables in ((opt, parameters), (copied, others)):
        run(chosen, tables, 3, first=3)
    assert_same_bits(parameters, others)
    assert_same_state(copied.state_dict(), opt.state_dict())


def test_a_copied_optimizer_takes_hooks_and_groups():
    opt = copy.deepcopy(slt.Adam([table((3, 2))]))
    opt.add_param_group({"params": [table((4, 2))]})
    seen = []
    opt.register_step_post_hook(lambda *_: seen.append(1))
    opt.step()
    assert seen == [1]


# -- states of others ------------------------------------------------------------------------------


def other_store():
    torch.manual_seed(0)
    return slt.Adam([table(), table((70,))], **{**SKETCHED, "v": sl.CountMinSketch(depth=2)})


def no_store():
    return slt.Adam([table(), table((70,))])


def other_seed():
    return slt.Adam([table(), table((70,))], **{**SKETCHED, "m": sl.CountSketch(seed=4)})


def other_shape():
    return slt.Adam([table((1201, 4)), table((70,))], **SKETCHED)


def other_order():
    # the same stores and shapes, at other places and so with other seeds
    return slt.Adam([table((70,)), table()], **SKETCHED)


def other_dtype():
    return slt.Adam([table(dtype=torch.float64), table((70,))], **SKETCHED)


def other_groups():
    return slt.Adam([{"params": [table()]}, {"params": [table((70,))]}], **SKETCHED)


def other_optimizer():
    return slt.RMSprop([table(), table((70,))], lr=1e-3, v=SKETCHED["v"])


def of_torch():
    return torch.optim.Adam([table(), table((70,))])


OTHERS = {
    other_store: "group 0: v is .*'depth': 2.* in the state",
    no_store: "group 0: m is None in the state and CountSketch",
    other_seed: "group 0: m is .*'seed': 4.* in the state",
    other_shape: r"parameter 0 of group 0: .*shape is '\(1201, 4\)' there and '\(1200, 4\)'",
    other_order: r"parameter 0 of group 0: .*shape is '\(70,\)' there",
    other_dtype: "parameter 0 of group 0: .*dtype is 'float64' there and 'float32' here",
    other_groups: r"groups of \[1, 1\] parameters, the optimizer has \[2\]",
    other_optimizer: "group 0 of the state has no betas, m: it is another optimizer's",
    of_torch: "group 0 of the state has no .*m.*: it is another optimizer's",
}


@pytest.mark.parametrize("build", OTHERS, ids=lambda build: build.__name__)
def test_a_state_of_another_model_is_refused_and_changes_nothing(build):
    parameters = [table(), table((70,))]
    opt = slt.Adam(parameters, **SKETCHED)
    run(opt, parameters, 2)
    before = copy.deepcopy(opt.state_dict())
    other = build()
    theirs = [parameter for group in other.param_groups for parameter in group["params"]]
    for parameter in theirs:
        parameter.grad = dense(0, parameter)
    other.step()
    with pytest.raises(sl.CheckpointError, match=OTHERS[build]):
        opt.load_state_dict(other.state_dict())
    assert_same_state(opt.state_dict(), before)
    run(opt, parameters, 1)


def test_a_state_whose_last_parameter_does_not_fit_changes_none():
    parameters = [table(), table((5000,))]
    opt = slt.Adam(parameters, **SKETCHED)
    run(opt, parameters, 2)
    before, damaged = opt.state_dict(), opt.state_dict()
    run(opt, parameters, 1, first=2)
    kept = opt.state_dict()
    damaged["state"][1]["v.cells"] = damaged["state"][1]["v.cells"].double()
    with pytest.raises(sl.CheckpointError, match=r"parameter 1 of group 0: v\.cells"):
        opt.load_state_dict(damaged)
    assert_same_state(opt.state_dict(), kept)
    opt.load_state_dict(before)
    assert_same_state(opt.state_dict(), before)


@pytest.mark.parametrize("what", [None, 3, {}, {"state": {}}])
def test_what_is_no_state_is_refused(what):
    with pytest.raises(sl.CheckpointError, match="give what state_dict"):
        tagger()[1].load_state_dict(what)


def test_parameters_in_no_group_are_refused():
    opt = tagger()[1]
    state = opt.state_dict()
    state["state"][7] = {}
    with pytest.raises(sl.CheckpointError, match=r"parameters \[7\]"):
        opt.load_state_dict(state)


def test_stores_cannot_change_after_a_step():
    model, opt = tagger()
    opt.param_groups[0]["v"] = sl.CountMinSketch(depth=2)
    assert opt.stores(model.embedding.weight)["v"].description.depth == 2
    train(model, opt, 1)
    opt.param_groups[0]["v"] = sl.CountMinSketch(depth=1)
    with pytest.raises(sl.CheckpointError, match=r"parameter 0 of group 0: .*v\.description"):
        train(model, opt, 1)


@pytest.mark.parametrize("cls", [slt.RMSprop, slt.Adam])
def test_learning_goes_on_after_loading(cls):
    model, opt = tagger(cls, lr=0.05)
    train(model, opt, 20)
    other, resumed = tagger(cls, lr=0.05)
    other.load_state_dict(model.state_dict())
    resumed.load_state_dict(opt.state_dict())
    assert train(model, opt, 5, first=20) == train(other, resumed, 5, first=20)
    assert sketches(cls)
