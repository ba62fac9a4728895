"""Gradients and memory: every layout, nothing copied, storage that is replaced, half precision."""

import copy

import numpy as np
import pytest
import torch
from toys import (
    SKETCHED,
    assert_same_bits,
    dense,
    rows_and_values,
    sparse,
    table,
    tagger,
    train,
)

import sketchlab as sl
import sketchlab.torch as slt

# -- sparse gradients ------------------------------------------------------------------------------


def sparse_case(name, like):
    """Rows and values of a sparse gradient of a kind."""
    n = len(like)
    rows = {
        "uncoalesced": [7, 3, 7, 7, 0],
        "empty": [],
        "every row": np.random.default_rng(0).permutation(n),
        "one": [n - 1],
    }[name]
    values = np.random.default_rng(1).normal(size=(len(rows), *like.shape[1:]))
    return np.asarray(rows, np.int64), values.astype(np.float32)


@pytest.mark.parametrize("name", ["uncoalesced", "empty", "every row", "one"])
def test_sparse_gradients_go_to_the_sparse_step_as_they_are(name, monkeypatch):
    parameter = table((2000, 3))
    mirror = parameter.detach().numpy().copy()
    opt = slt.Adam([parameter], **SKETCHED)
    stores = {moment: live.description for moment, live in opt.stores(parameter).items()}
    core = sl.Adam(mirror, **stores)
    rows, values = sparse_case(name, parameter)
    parameter.grad = sparse(rows, values, parameter)
    monkeypatch.setattr(torch.Tensor, "coalesce", lambda _: pytest.fail("coalesced"))
    opt.step()
    core.step(values, rows=rows)
    assert opt.state_dict()["state"][0]["step_count"] == 1
    np.testing.assert_array_equal(parameter.detach().numpy(), mirror)


def test_only_rows_of_a_sparse_gradient_move():
    model, opt = tagger(weight_decay=0.1)
    before = model.embedding.weight.detach().clone()
    model(torch.tensor([5, 900, 5])).sum().backward()
    opt.step()
    moved = (model.embedding.weight != before).any(dim=1).nonzero()[:, 0]
    assert moved.tolist() == [5, 900]


def test_an_embedding_of_one_column_and_of_three_dimensions():
    flat, deep = table((3000, 1)), table((3000, 2, 2))
    opt = slt.Adam([flat, deep], lr=0.1, **SKETCHED)
    for parameter in (flat, deep):
        parameter.grad = sparse(*rows_and_values(0, parameter.shape, 5), parameter)
    before = [flat.detach().clone(), deep.detach().clone()]
    opt.step()
    rows = torch.from_numpy(np.unique(rows_and_values(0, (3000, 1), 5)[0]))
    for parameter, old in zip((flat, deep), before):
        changed = (parameter != old).flatten(1).any(dim=1).nonzero()[:, 0]
        assert torch.equal(changed, rows)


# -- memory that is not laid out by rows -----------------------------------------------------------


def test_channels_last_weights_are_updated_in_their_own_memory():
    plain = table((8, 3, 2, 2))
    last = torch.nn.Parameter(plain.detach().to(memory_format=torch.channels_last))
    optimizers = [slt.Adam([parameter], lr=0.1) for parameter in (plain, last)]
    for step in range(3):
        for parameter, opt in zip((plain, last), optimizers):
            parameter.grad = dense(step, plain)
            opt.step()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert_same_bits([plain], [last])


def test_channels_last_weights_take_sparse_gradients_by_rows():
    plain = table((40, 3, 2, 2))
    last = torch.nn.Parameter(plain.detach().to(memory_format=torch.channels_last))
    for parameter in (plain, last):
        opt = slt.Adam([parameter], lr=0.1)
        parameter.grad = sparse(*rows_and_values(0, plain.shape, 9), parameter)
        opt.step()
    assert_same_bits([plain], [last])


def test_a_transposed_parameter_steps_densely_and_refuses_rows():
    plain = table((6, 4))
    turned = torch.nn.Parameter(plain.detach().t().contiguous().t())
    opt, reference = slt.Adam([turned], lr=0.1), slt.Adam([plain], lr=0.1)
    turned.grad = plain.grad = dense(0, plain)
    opt.step()
    reference.step()
    assert_same_bits([plain], [turned])
    turned.grad = sparse([1], np.ones((1, 4), np.float32), turned)
    with pytest.raises(sl.InputError, match="its memory is laid out otherwise"):
        opt.step()
    assert_same_bits([plain], [turned])


def test_a_single_number_is_one_row():
    parameter = torch.nn.Parameter(torch.tensor(2.0))
    opt = slt.SGD([parameter], lr=0.5)
    (3 * parameter).backward()
    opt.step()
    assert parameter.item() == 0.5


def test_a_gradient_whose_numbers_share_memory_is_read_as_it_is():
    parameter, other = table((5, 3)), table((5, 3))
    for one in (parameter, other):
        opt = slt.Adam([one])
        one.grad = torch.ones(5, 1).expand(5, 3) if one is parameter else torch.ones(5, 3)
        opt.step()
    assert_same_bits([parameter], [other])


# -- nothing is copied -----------------------------------------------------------------------------


def test_tables_and_gradients_are_the_tensors_own_memory(monkeypatch):
    model, opt = tagger()
    train(model, opt, 1)
    kept = opt.state[model.embedding.weight]["kept"]
    assert kept.core.table.ctypes.data == model.embedding.weight.data_ptr()
    seen = []
    prepare = type(kept.core).prepare
    monkeypatch.setattr(
        type(kept.core),
        "prepare",
        lambda core, grads, rows: seen.append((grads, rows)) or prepare(core, grads, rows),
    )
    model(torch.tensor([5, 9])).sum().backward()
    opt.step()
    gradient = model.embedding.weight.grad
    grads, rows = seen[0]
    assert grads.ctypes.data == gradient._values().data_ptr()
    assert rows.ctypes.data == gradient._indices().data_ptr()
    assert seen[1][0].ctypes.data == model.head.weight.grad.data_ptr()


# -- storage that is replaced, moved or copied -----------------------------------------------------


def replaced_by_data(model):
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()


def replaced_by_to(model):
    model.to(torch.float64).to(torch.float32)


def replaced_by_swap(model):
    state = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(state, assign=False)
    replaced_by_data(model)


@pytest.mark.parametrize("replace", [replaced_by_data, replaced_by_to, replaced_by_swap])
def test_a_step_follows_storage_that_was_replaced(replace):
    plain, reference = tagger()
    model, opt = tagger()
    train(plain, reference, 6)
    train(model, opt, 3)
    old = model.embedding.weight.data
    replace(model)
    kept = old.clone()
    train(model, opt, 3, first=3)
    assert model.embedding.weight.data_ptr() != old.data_ptr()
    assert_same_bits(model.parameters(), plain.parameters())
    assert torch.equal(old, kept)  # the storage that was left stays as it was


def test_a_parameter_of_another_dtype_is_refused_after_a_step_and_taken_before_one():
    model, opt = tagger()
    model.double()
    train(model, opt, 1)
    assert opt.state_dict()["state"][0]["dtype"] == "float64"
    model.float()
    with pytest.raises(sl.CheckpointError, match="dtype is 'float64' there and 'float32' here"):
        train(model, opt, 1)


def test_a_stale_backward_raises():
    parameter = table((4, 2))
    opt = slt.SGD([parameter], lr=0.1)
    loss = (parameter**2).sum()
    loss.backward(retain_graph=True)
    opt.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_step_bumps_the_version_counter(dtype):
    parameter = table((4, 2), dtype)
    opt = slt.SGD([parameter], lr=0.1)
    parameter.grad = torch.ones_like(parameter)
    version = parameter._version
    opt.step()
    assert parameter._version > version


def test_a_copied_pair_goes_on_by_itself():
    model, opt = tagger()
    train(model, opt, 3)
    other, copied = copy.deepcopy((model, opt))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    train(other, copied, 3, first=3)
    assert_same_bits(model.parameters(), before)
    train(model, opt, 3, first=3)
    assert_same_bits(model.parameters(), other.parameters())


# -- half precision --------------------------------------------------------------------------------

HALVES = [torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_halves_are_rounded_from_a_float32_run(dtype):
    half = table(dtype=dtype)
    single = torch.nn.Parameter(half.detach().float())
    for parameter in (half, single):
        opt = slt.Adam([parameter], lr=1e-4, **SKETCHED)
        for step in range(30):
            if step % 3 == 2:
                gradient = dense(step, half).to(dtype).to(parameter.dtype)
            else:
                rows, values = rows_and_values(step)
                values = torch.from_numpy(values).to(dtype).float().numpy()
                gradient = sparse(rows, values, parameter)
            parameter.grad = gradient
            opt.step()
    assert_same_bits([half], [single.to(dtype)])


def test_a_half_moves_by_steps_smaller_than_its_own_spacing():
    """Nearest rounding of the parameter alone would leave it where it is for ever."""
    parameter = torch.nn.Parameter(torch.ones(4, 2, dtype=torch.bfloat16))
    opt = slt.SGD([parameter], lr=2.0**-12)  # the spacing below 1 is 2**-8
    for _ in range(2**12):
        parameter.grad = torch.ones_like(parameter)
        opt.step()
    assert torch.equal(parameter.detach(), torch.zeros_like(parameter))


@pytest.mark.parametrize("change", ["copied in", "loaded", "storage replaced"])
def test_what_else_is_written_to_a_half_is_taken_over(change):
    parameter = table((6, 2), torch.bfloat16)
    opt = slt.SGD([parameter], lr=2.0**-12)
    parameter.grad = torch.ones_like(parameter)
    opt.step()
    small = opt.state[parameter]["kept"].master[1:].clone()
    target = parameter.detach().clone()
    target[0] = 64.0
    if change == "copied in":
        with torch.no_grad():
            parameter[0] = 64.0
    elif change == "loaded":
        module = torch.nn.Module()
        module.parameter = parameter
        module.load_state_dict({"parameter": target})
    else:
        parameter.data = target
    parameter.grad = torch.zeros_like(parameter)
    opt.step()
    master = opt.state[parameter]["kept"].master
    assert torch.equal(master[0], torch.full((2,), 64.0)) and torch.equal(master[1:], small)
    assert torch.equal(parameter.detach(), target)


def test_the_master_copy_is_counted():
    half, single = table(dtype=torch.bfloat16), table()
    sizes = [slt.Adam([parameter], **SKETCHED).state_bytes() for parameter in (half, single)]
    assert sizes[0].kept == sizes[1].kept + 4 * half.numel()
    assert sizes[0].exact == sizes[1].exact + 4 * half.numel()


# -- the device of NVIDIA: what can be seen without one --------------------------------------------


class OnDevice:
    """Stands in for a CUDA tensor: its interface, and who holds its memory."""

    is_cuda, device = True, "cuda:0"

    def __init__(self):
        self.held_for = []
        self.__cuda_array_interface__ = {"data": (4096, False), "shape": (2, 3), "version": 2}

    def record_stream(self, stream):
        self.held_for.append(stream)


class Stream:
    """Stands in for a stream."""

    def __init__(self, pointer):
        self.cuda_stream = pointer


@pytest.mark.parametrize(("pointer", "named"), [(0, 1), (77, 77)])
def test_a_tensors_stream_is_the_one_that_is_current_now(pointer, named, monkeypatch):
    from sketchlab.kernels.cuda.streams import stream_of

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream(pointer))
    assert stream_of(torch.zeros(1)) == named


def test_a_gradients_memory_is_held_for_the_step_that_is_running(monkeypatch):
    from sketchlab.torch.tensors import Gradient, hold_until_done

    current = Stream(77)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: current)
    values, indices = OnDevice(), OnDevice()
    hold_until_done(Gradient(None, None, values, indices))
    assert values.held_for == indices.held_for == [current]
    hold_until_done(Gradient(None, None, values, None))
    assert values.held_for == [current, current]


def test_every_step_holds_its_gradient(monkeypatch):
    held = []
    monkeypatch.setattr("sketchlab.torch.kept.hold_until_done", held.append)
    model, opt = tagger()
    train(model, opt, 1)
    assert [gradient.values.data_ptr() for gradient in held] == [
        model.embedding.weight.grad._values().data_ptr(),
        model.head.weight.grad.data_ptr(),
        model.head.bias.grad.data_ptr(),
    ]
