"""The exact optimizers do what torch.optim does (stored by data/make_torch_trajectories.py)."""

import json
from pathlib import Path

import naive
import numpy as np
import pytest
from agreement import assert_agree

import sketchlab as sl

ARCHIVE = Path(__file__).parent / "data" / "torch_trajectories.npz"
TORCH = dict(np.load(ARCHIVE, allow_pickle=False))
CASES = json.loads(str(TORCH["cases"]))
SNAPSHOTS = TORCH["snapshots"]
STEPS = int(SNAPSHOTS[-1])

# Rounding is all that may differ: both sides compute in the same dtype, in another order. What is
# rounded at each step is the table, so its largest entry is the scale for `agreement.tolerance`.


def ours(case, optimizers, table, **extra):
    """Our counterpart of a torch case, built by `optimizers(name)`."""
    settings = dict(CASES[case]["settings"])
    torch_class = CASES[case]["torch_class"]
    if "betas" in settings and case.endswith("beta1_0"):
        settings["beta"] = settings.pop("betas")[1]
        name = "RMSprop"
    elif torch_class == "RMSprop":
        settings["beta"] = settings.pop("alpha")
        name = "RMSprop"
    elif settings.pop("amsgrad", False):
        name = "AMSGrad"
    elif "momentum" in settings:
        name = "Momentum"
    else:
        name = torch_class.removeprefix("Sparse").removesuffix("W")
    return optimizers(name)(table, **settings, **extra)


def step_arguments(case, step, dtype):
    """Gradient and, for the sparse stream, rows of one step."""
    if CASES[case]["stream"] == "dense":
        return {"grads": TORCH["dense_grads"][step].astype(dtype)}
    part = slice(TORCH["sparse_offsets"][step], TORCH["sparse_offsets"][step + 1])
    return {
        "grads": TORCH["sparse_grads"][part].astype(dtype),
        "rows": TORCH["sparse_rows"][part],
    }


def undo_bias_correction(case, opt, step):
    """Schedule that turns our bias-corrected RMSprop into torch's, which does not correct."""
    if CASES[case]["torch_class"] == "RMSprop":
        settings = CASES[case]["settings"]
        opt.lr = settings["lr"] / np.sqrt(1 - settings["alpha"] ** (step + 1))


def assert_follows_torch(case, opt, dtype, table):
    """Take all the steps, comparing the table at every snapshot."""
    snapshots = iter(zip(SNAPSHOTS, TORCH[f"{case}_{dtype}"], strict=True))
    for step in range(STEPS):
        undo_bias_correction(case, opt, step)
        opt.step(**step_arguments(case, step, dtype))
        if step + 1 in SNAPSHOTS:
            number, expected = next(snapshots)
            what = f"{case} after step {number}"
            assert_agree(table(), expected, np.dtype(dtype), number, np.abs(expected).max(), what)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("case", CASES)
def test_exact_optimizers_follow_torch(case, backend, dtype):
    """Every optimizer, sparse and dense, on both backends."""
    table = TORCH["table"].astype(dtype)
    opt = ours(case, lambda name: getattr(sl, name), table, backend=backend)
    assert_follows_torch(case, opt, dtype, lambda: table)


@pytest.mark.parametrize("case", CASES)
def test_oracle_follows_torch(case):
    """The oracle itself is judged by torch."""
    opt = ours(case, lambda name: lambda *a, **k: naive.optimizer(name, *a, **k), TORCH["table"])
    assert_follows_torch(case, opt, "float64", lambda: np.array(opt.table))


@pytest.mark.parametrize("case", [case for case in CASES if "beta" in str(CASES[case]["settings"])])
def test_a_slightly_wrong_gain_is_seen(case):
    """The comparison tells 1 - beta2 from a gain that is 1 % larger."""

    def perturbed(name):
        def build(table, **settings):
            opt = naive.optimizer(name, table, **settings)
            accumulate = opt.v.accumulate
            opt.v.accumulate = lambda keep, gain, batch: accumulate(keep, gain * 1.01, batch)
            return opt

        return build

    opt = ours(case, perturbed, TORCH["table"])
    with pytest.raises(AssertionError, match="off by"):
        assert_follows_torch(case, opt, "float64", lambda: np.array(opt.table))
