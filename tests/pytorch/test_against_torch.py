"""With exact stores the optimizers do what PyTorch's do, within rounding, for 200 steps."""

import numpy as np
import pytest
import torch
from agreement import assert_agree
from toys import dense, rows_and_values, sparse, table

import sketchlab.torch as slt

STEPS, SHAPE = 200, (60, 4)
LR = 0.02


def rate_of_rmsprop(group, step):
    """PyTorch does not correct the bias of RMSprop: lr and eps that undo ours."""
    root = np.sqrt(1 - 0.9 ** (step + 1))
    group.update(lr=LR / root, eps=1e-6 / root)


def eps_of_sparse_adam(group, step):
    """SparseAdam adds eps before it corrects the bias of v, ours after."""
    group.update(eps=1e-6 / np.sqrt(1 - 0.999 ** (step + 1)))


# ours and its options, PyTorch's and its options, whether it takes sparse gradients, a schedule
PAIRS = {
    "SGD": (slt.SGD, {}, torch.optim.SGD, {}, True, None),
    "SGD decayed": (
        slt.SGD,
        {"weight_decay": 0.1},
        torch.optim.SGD,
        {"weight_decay": 0.1},
        False,
        None,
    ),
    "Momentum": (slt.Momentum, {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}, False, None),
    "Nesterov": (
        slt.Momentum,
        {"momentum": 0.9, "nesterov": True},
        torch.optim.SGD,
        {"momentum": 0.9, "nesterov": True},
        False,
        None,
    ),
    "Adagrad": (slt.Adagrad, {}, torch.optim.Adagrad, {}, True, None),
    "RMSprop": (
        slt.RMSprop,
        {"beta": 0.9},
        torch.optim.RMSprop,
        {"alpha": 0.9, "eps": 1e-6},
        False,
        rate_of_rmsprop,
    ),
    "Adam": (slt.Adam, {}, torch.optim.Adam, {}, False, None),
    "AdamW": (
        slt.Adam,
        {"weight_decay": 0.1, "betas": (0.8, 0.95)},
        torch.optim.AdamW,
        {"weight_decay": 0.1, "betas": (0.8, 0.95)},
        False,
        None,
    ),
    "AMSGrad": (slt.AMSGrad, {}, torch.optim.Adam, {"amsgrad": True}, False, None),
    "SparseAdam": (slt.Adam, {}, torch.optim.SparseAdam, {"eps": 1e-6}, None, eps_of_sparse_adam),
}
CASES = [
    (name, kind)
    for name, (*_, sparsely, _) in PAIRS.items()
    for kind in {True: ("dense", "sparse"), False: ("dense",), None: ("sparse",)}[sparsely]
]


def gradients(kind, step, parameters):
    """Sparse ones for parameters of two dimensions if that is asked for, else dense ones."""
    for place, parameter in enumerate(parameters):
        if kind == "sparse":
            drawn = rows_and_values(step, parameter.shape, count=12, seed=place)
            parameter.grad = sparse(*drawn, parameter).coalesce()
        else:
            parameter.grad = dense(step, parameter, seed=place)


def trajectories(name, kind, dtype, scheduled=True, perturb=None):
    """Ours and PyTorch's parameters after every step, over two groups with a schedule."""
    ours, options, theirs, torch_options, _, correction = PAIRS[name]
    shapes = [SHAPE, (9, 2, 3)] if kind == "sparse" else [SHAPE, (9, 2, 3), (7,)]
    sides = []
    for cls, chosen in ((ours, options), (theirs, torch_options)):
        parameters = [table(shape, dtype, seed) for seed, shape in enumerate(shapes)]
        groups = [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 3 * LR}]
        groups = groups if correction is None else [{"params": parameters}]
        opt = cls(groups, **{"lr": LR, **chosen})
        schedule = scheduled and correction is None
        rates = torch.optim.lr_scheduler.CosineAnnealingLR(opt, STEPS) if schedule else None
        sides.append((parameters, opt, rates))
    for step in range(STEPS):
        for number, (parameters, opt, rates) in enumerate(sides):
            gradients(kind, step, parameters)
            if number == 0 and correction:
                correction(opt.param_groups[0], step)
            if number == 0 and perturb:
                perturb(opt)
            opt.step()
            if rates:
                rates.step()
        yield step + 1, sides[0][0], sides[1][0]


def compare(name, kind, dtype, **changes):
    """Every step of the two agrees within rounding."""
    for step, ours, theirs in trajectories(name, kind, dtype, **changes):
        for one, other in zip(ours, theirs, strict=True):
            one, other = one.detach().numpy(), other.detach().numpy()
            what = f"{name}, {kind}, after step {step}"
            assert_agree(one, other, one.dtype, step, np.abs(other).max(), what)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_exact_stores_follow_torch(name, kind, dtype):
    compare(name, kind, dtype)


@pytest.mark.parametrize("option", ["lr", "eps", "weight_decay"])
def test_a_slightly_wrong_number_is_seen(option):
    def perturb(opt):
        opt.param_groups[0][option] = 1.01 * opt.param_groups[0][option]

    with pytest.raises(AssertionError, match="off by"):
        compare("AdamW", "dense", torch.float64, scheduled=False, perturb=perturb)
