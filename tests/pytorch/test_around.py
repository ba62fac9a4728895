"""What PyTorch puts around an optimizer: scalers of gradients, clipping, several processes."""

import os

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from toys import (
    SKETCHED,
    Tagger,
    assert_same_bits,
    dense,
    draw,
    rows_and_values,
    sparse,
    table,
    tagger,
    train,
)

import sketchlab as sl
import sketchlab.torch as slt

# -- GradScaler ------------------------------------------------------------------------------------


def scaled_step(model, opt, scaler, step, factor=1.0):
    words = draw(model.embedding.num_embeddings, torch.Generator().manual_seed(step))
    opt.zero_grad()
    loss = factor * torch.nn.functional.cross_entropy(model(words), words % 3)
    scaler.scale(loss).backward()
    scaler.step(opt)
    scaler.update()


def test_scaled_gradients_make_the_same_steps():
    plain, reference = tagger()
    train(plain, reference, 4)
    model, opt = tagger()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)  # a power of two: no rounding
    for step in range(4):
        scaled_step(model, opt, scaler, step)
    assert_same_bits(model.parameters(), plain.parameters())


def test_a_step_with_infinities_is_skipped():
    model, opt = tagger()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    scaled_step(model, opt, scaler, 0)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    scaled_step(model, opt, scaler, 1, factor=torch.inf)
    assert_same_bits(model.parameters(), before)
    assert {state["step_count"] for state in opt.state_dict()["state"].values()} == {1}
    assert scaler.get_scale() == 2.0**9
    scaled_step(model, opt, scaler, 2)
    assert not torch.equal(model.embedding.weight.detach(), before[0])


# -- clipping --------------------------------------------------------------------------------------


def with_gradients(summed):
    """Parameters with dense and sparse gradients, the latter with equal rows or summed."""
    parameters = [table((50, 3)), table((20, 2), seed=1), table((7,), seed=2)]
    gradient = sparse(*rows_and_values(0, (50, 3), 80), parameters[0])
    parameters[0].grad = gradient.to_dense() if summed else gradient
    for parameter in parameters[1:]:
        parameter.grad = dense(0, parameter)
    return parameters


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5, float("inf")])
@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_is_pytorchs_on_the_summed_gradients(norm_type, max_norm):
    ours, theirs = with_gradients(False), with_gradients(True)
    total = slt.clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    torch.testing.assert_close(total, expected)
    for one, other in zip(ours, theirs):
        gradient = one.grad.to_dense() if one.grad.is_sparse else one.grad
        torch.testing.assert_close(gradient, other.grad)
    assert ours[0].grad.is_sparse


def test_clipping_takes_one_tensor_and_parameters_without_gradients():
    parameter = table((3, 2))
    assert slt.clip_grad_norm_(parameter, 1.0) == 0
    parameter.grad = torch.full((3, 2), 2.0)
    assert slt.clip_grad_norm_(iter([parameter, table()]), 1.0) == pytest.approx(24**0.5)
    assert parameter.grad.norm() == pytest.approx(1.0)


def test_a_norm_that_is_not_finite_can_be_refused():
    parameters = with_gradients(False)
    parameters[1].grad[0, 0] = torch.inf
    before = parameters[2].grad.clone()
    with pytest.raises(sl.InputError, match="inf"):
        slt.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert torch.equal(parameters[2].grad, before)


def test_pytorchs_own_clipping_fails_on_them():
    """When this fails, the documentation may send people to PyTorch's again."""
    with pytest.raises((RuntimeError, NotImplementedError)):
        torch.nn.utils.clip_grad_norm_(with_gradients(False), 1.0)


# -- what trainers do with an optimizer ------------------------------------------------------------


def test_a_trainer_that_moves_the_state_of_every_parameter():
    """Lightning maps a function over ``optimizer.state``: tensors move, all else is left."""

    def moved(value):
        if isinstance(value, torch.Tensor):
            return value.to("cpu")
        return {key: moved(entry) for key, entry in value.items()} if type(value) is dict else value

    plain, reference = tagger()
    train(plain, reference, 4)
    model, opt = tagger()
    train(model, opt, 2)
    for parameter, state in opt.state.items():
        opt.state[parameter] = moved(state)
    train(model, opt, 2, first=2)
    assert_same_bits(model.parameters(), plain.parameters())


def test_a_trainer_that_wraps_the_optimizer_in_a_class_of_its_own():
    """Lightning's wrapper is a class made of its own and the optimizer's, sharing its __dict__."""

    class Wrapper:
        def __init__(self, optimizer):
            self.__class__ = type("Wrapped", (Wrapper, type(optimizer)), {})
            self.__dict__.update(optimizer.__dict__)
            self._optimizer = optimizer

        def step(self, closure=None):
            return self._optimizer.step(closure)

    plain, reference = tagger()
    train(plain, reference, 3)
    model, opt = tagger()
    wrapped = Wrapper(opt)
    train(model, wrapped, 3)
    assert isinstance(wrapped, torch.optim.Optimizer)
    assert_same_bits(model.parameters(), plain.parameters())
    assert wrapped.state_dict()["state"].keys() == {0, 1, 2}


def test_a_trainer_that_accumulates_gradients():
    """Two backward passes of half the loss: sparse gradients accumulate uncoalesced."""
    model, opt = tagger()
    once, reference = tagger()
    words = torch.tensor([4, 9, 4, 700])
    for half in words.chunk(2):
        (model(half).sum() / 2).backward()
    (once(words).sum() / 2).backward()
    opt.step()
    reference.step()
    for one, other in zip(model.parameters(), once.parameters()):
        torch.testing.assert_close(one, other)


# -- several processes -----------------------------------------------------------------------------


def in_group(rank, size, store, function, *arguments):
    """Run a function as one of the processes of a group on this machine."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    try:
        function(rank, *arguments)
    finally:
        dist.destroy_process_group()


def train_a_replica(rank, folder):
    """Steps on words of this process's own, with sparse gradients averaged over both."""
    model, opt = tagger(seed=rank)  # made equal by what follows
    replica = DistributedDataParallel(model)
    for step in range(6):
        words = draw(1200, torch.Generator().manual_seed(2 * step + rank))
        opt.zero_grad()
        torch.nn.functional.cross_entropy(replica(words), words % 3).backward()
        assert model.embedding.weight.grad.is_sparse
        slt.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    torch.save((model.state_dict(), opt.state_dict()), f"{folder}/{rank}.pt")


@pytest.mark.slow
def test_two_processes_stay_equal_to_the_bit(tmp_path):
    torch.multiprocessing.spawn(
        in_group, (2, tmp_path / "store", train_a_replica, tmp_path), nprocs=2
    )
    (model, opt), (other, theirs) = (
        torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)
    )
    assert_same_bits(model.values(), other.values())
    start = Tagger()
    torch.manual_seed(0)
    start = Tagger()
    assert not torch.equal(model["embedding.weight"], start.embedding.weight)
    for place in range(3):
        for key, value in opt["state"][place].items():
            theirs_too = theirs["state"][place][key]
            same = torch.equal(value, theirs_too) if torch.is_tensor(value) else value == theirs_too
            assert same, (place, key)


def refuse_sharded_parameters(rank):
    """DTensor, FSDP of the first kind and of the second."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
    from torch.distributed.tensor import Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (1,))
    whole = torch.nn.Linear(8, 8)
    sharded = torch.nn.Parameter(distribute_tensor(whole.weight.detach(), mesh, [Shard(0)]))
    second = torch.nn.Linear(8, 8)
    fully_shard(second, mesh=mesh)
    first = [
        FullyShardedDataParallel(
            torch.nn.Linear(8, 8), device_id=torch.device("cpu"), use_orig_params=original
        )
        for original in (False, True)
    ]
    for parameters in ([sharded], *(list(model.parameters()) for model in (second, *first))):
        with pytest.raises(sl.InputError, match=r"FSDP, DTensor.*DistributedDataParallel"):
            slt.Adam(parameters)


@pytest.mark.slow
def test_sharded_parameters_are_refused_with_the_reason(tmp_path):
    torch.multiprocessing.spawn(
        in_group, (1, tmp_path / "store", refuse_sharded_parameters), nprocs=1
    )


def test_sketches_of_two_processes_merge():
    """Linear sketches of one configuration add up: the seeds are the same everywhere."""
    one, other = (tagger(slt.Adam, seed=seed)[1] for seed in range(2))
    for opt in (one, other):
        assert opt.stores(opt.param_groups[0]["params"][0])["m"].signature() == (
            one.stores(one.param_groups[0]["params"][0])["m"].signature()
        )
    assert SKETCHED["m"].seed == 3 and np.isfinite(one.state_bytes().kept)
