"""Bad input: one clear error, before anything is changed. Some cases are PyTorch's own."""

import warnings

import pytest
import torch
from toys import SKETCHED, assert_same_bits, rows_and_values, run, sparse, table

import sketchlab as sl
import sketchlab.torch as slt

BAD_PARAMETERS = {
    "integers": (
        lambda: torch.zeros(3, dtype=torch.int64),
        "dtype torch.int64: float32, float64",
    ),
    "complex": (lambda: torch.zeros(3, dtype=torch.complex64), "dtype torch.complex64"),
    "bytes": (lambda: torch.zeros(3, dtype=torch.float8_e4m3fn), "dtype torch.float8_e4m3fn"),
    "meta": (lambda: torch.nn.Parameter(torch.zeros(3, device="meta")), "on the device meta"),
    "sparse": (lambda: torch.zeros(3, 3).to_sparse(), "layout torch.sparse_coo"),
    "expanded": (lambda: torch.zeros(3, 1).expand(3, 4), r"\(3, 4\) with strides \(1, 0\)"),
    "with gaps": (lambda: torch.zeros(3, 8)[:, ::2], r"strides \(8, 2\) leaves gaps"),
    "lazy": (lambda: torch.nn.LazyLinear(3).weight, "UninitializedParameter: give plain"),
    "a subclass": (lambda: type("Mine", (torch.Tensor,), {})(3, 2), "a Mine: give plain"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_a_parameter_that_cannot_be_updated_in_place_is_refused(case):
    make, message = BAD_PARAMETERS[case]
    with pytest.raises(sl.InputError, match=f"parameter 1 of group 0: .*{message}"):
        slt.Adam([table((3, 2)), make()])


BAD_OPTIONS = {
    "wrong store for a signed moment": (
        slt.Adam,
        {"m": sl.CountMinSketch()},
        "CountMinSketch holds non-negative values, Adam's m is signed",
    ),
    "shrunken second moment": (
        slt.Adam,
        {"v": sl.CountSketch(shrink=True)},
        "v=CountSketch.*first moment",
    ),
    "no store": (slt.Adam, {"v": "sketch"}, "v='sketch': give a store"),
    "weight decay in the place of m": (slt.Adam, {"m": 0.01}, "m=0.01: give a store"),
    "lr": (slt.SGD, {"lr": -1.0}, "lr=-1.0"),
    "lr of two numbers": (slt.SGD, {"lr": torch.ones(2)}, "lr=tensor"),
    "betas": (slt.Adam, {"betas": (0.9, 1.0)}, r"betas\[1\]=1.0"),
    "one beta": (slt.Adam, {"betas": 0.9}, "betas=0.9"),
    "momentum": (slt.Momentum, {"lr": 0.1, "momentum": 1.5}, "momentum=1.5"),
    "eps": (slt.Adagrad, {"lr": 0.1, "eps": -1.0}, "eps=-1.0"),
    "weight decay": (slt.SGD, {"lr": 0.1, "weight_decay": -0.1}, "weight_decay=-0.1"),
    "clip": (slt.Adam, {"clip": "hard"}, "clip='hard'"),
    "min_numel": (slt.Adam, {"min_numel": -1}, "min_numel=-1"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_an_option_that_makes_no_sense_is_refused(case):
    cls, options, message = BAD_OPTIONS[case]
    with pytest.raises(sl.ConfigurationError, match=f"parameter 0 of group 0: .*{message}"):
        cls([table()], **options)


@pytest.mark.parametrize("flag", ["foreach", "fused", "capturable", "differentiable"])
def test_pytorchs_ways_of_running_a_step_are_refused(flag):
    with pytest.raises(TypeError, match=flag):
        slt.Adam([table()], **{flag: True})
    with pytest.raises(sl.ConfigurationError, match=f"{flag}=True: .* leave it out"):
        slt.Adam([{"params": [table()], flag: True}])
    slt.Adam([{"params": [table()], flag: False}])


def bad_gradient(name, like):
    """A gradient that cannot be used."""
    return {
        "sparse in two dimensions": torch.zeros(like.shape)
        .index_put((torch.tensor([1]), torch.tensor([1])), torch.tensor(1.0))
        .to_sparse(),
        "not finite": torch.full(like.shape, torch.nan),
        "a row not finite": sparse([3], torch.full((1, 4), torch.inf).numpy(), like),
    }[name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sparse in two dimensions", "sparse in 2 dimensions"),
        ("not finite", "must be finite"),
        ("a row not finite", "must be finite"),
    ],
)
def test_a_gradient_that_cannot_be_used_changes_nothing(name, message):
    first, bad = table(), table(seed=1)
    opt = slt.Adam([first, bad], **SKETCHED)
    run(opt, [first, bad], 2)
    before, state = [first.detach().clone(), bad.detach().clone()], opt.state_dict()
    first.grad, bad.grad = sparse(*rows_and_values(5), first), bad_gradient(name, bad)
    with pytest.raises(sl.InputError, match=f"parameter 1 of group 0: .*{message}"):
        opt.step()
    assert_same_bits([first, bad], before)
    after = opt.state_dict()["state"]
    for place in (0, 1):
        assert torch.equal(after[place]["v.cells"], state["state"][place]["v.cells"])
        assert after[place]["step_count"] == 2


def test_an_option_that_makes_no_sense_later_is_refused_before_anything_moves():
    first, second = table(), table(seed=1)
    opt = slt.Adam([{"params": [first]}, {"params": [second]}], **SKETCHED)
    run(opt, [first, second], 1)
    before = [first.detach().clone(), second.detach().clone()]
    opt.param_groups[1]["eps"] = -1.0
    with pytest.raises(sl.ConfigurationError, match=r"parameter 0 of group 1: eps=-1\.0"):
        run(opt, [first, second], 1)
    assert_same_bits([first, second], before)
    opt.param_groups[1]["eps"] = 1e-8
    run(opt, [first, second], 1)


# -- the inputs that PyTorch tests its own optimizers with -----------------------------------------


def errors_of_pytorch():
    """PyTorch's list of inputs that every optimizer must refuse, where it is installed."""
    common = pytest.importorskip("torch.testing._internal.common_optimizers")
    return common.get_error_inputs_for_all_optims("cpu", torch.float32)


@pytest.mark.parametrize("cls", [slt.SGD, slt.Momentum, slt.Adagrad, slt.RMSprop, slt.Adam])
def test_what_every_optimizer_of_pytorch_refuses(cls):
    cases = errors_of_pytorch()
    assert len(cases) > 3
    for case in cases:
        given = case.optimizer_error_input
        options = {"lr": 0.1, **given.kwargs}
        parameters = given.params
        if parameters is None:
            parameters = [torch.nn.Parameter(torch.zeros(2, 3))]
        error, message = case.error_type, case.error_regex
        if "Tensor lr" in message:
            message = "lr=tensor"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(error, match=message):
                cls(parameters, **options)


def test_a_tensor_that_is_no_leaf_is_refused():
    with pytest.raises(ValueError, match="non-leaf"):
        slt.Adam([table() * 2])


def test_the_core_never_imports_pytorch():
    import subprocess
    import sys

    code = "import sketchlab, sys; assert not {'torch', 'sketchlab.torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
