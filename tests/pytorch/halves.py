"""Ways to keep parameters in bfloat16, measured: ``.venv/bin/python tests/pytorch/halves.py``.

Trains the embedding-bag classifier of the tests with sketched Adam. All but the first row compute
losses and gradients in bfloat16; they differ in what is left of a step in the parameters.
"""

import numpy as np
import torch
from test_clients import BagClassifier

import sketchlab.torch as slt

SEEDS, STEPS, LAST = 3, 400, 100
LR = 3e-3


def in_single():
    """Float32 throughout."""
    model = BagClassifier()
    return model, slt.Adam(model.groups(), lr=LR).step


def with_master():
    """What the optimizers do: rounded to nearest from a float32 copy."""
    model = BagClassifier().bfloat16()
    return model, slt.Adam(model.groups(), lr=LR).step


def without_master(rounded):
    """Each step from the rounded parameters of the one before."""
    model = BagClassifier().bfloat16()
    wide = BagClassifier()
    wide.load_state_dict(model.state_dict())
    opt = slt.Adam(wide.groups(), lr=LR)

    @torch.no_grad()
    def step():
        pairs = list(zip(model.parameters(), wide.parameters()))
        for half, single in pairs:
            single.grad = half.grad.to(torch.float32)
        opt.step()
        for half, single in pairs:
            half.copy_(rounded(single))
            single.copy_(half)

    return model, step


def to_nearest(numbers):
    """The nearest number of bfloat16."""
    return numbers.bfloat16()


def at_random(numbers):
    """Up or down to a number of bfloat16, by chance, right on average."""
    bits = numbers.view(torch.int32) + torch.randint(2**16, numbers.shape, dtype=torch.int32)
    return (bits & -(2**16)).view(torch.float32).bfloat16()


#: How parameters are kept, and bytes that this takes for each number.
WAYS = {
    "float32": (in_single, 4),
    "bfloat16, float32 master": (with_master, 2 + 4),
    "bfloat16, rounded at random": (lambda: without_master(at_random), 2),
    "bfloat16, rounded to nearest": (lambda: without_master(to_nearest), 2),
}


def final_loss(make, seed):
    """Mean loss of the last steps."""
    torch.manual_seed(seed)
    model, step = make()
    losses = []
    for number in range(STEPS):
        model.zero_grad()
        loss = model.loss(STEPS * seed + number)
        loss.backward()
        step()
        losses.append(loss.item())
    return np.mean(losses[-LAST:])


def main():
    """Print the table."""
    print(f"{'parameters':>30}  bytes  loss")
    for name, (make, size) in WAYS.items():
        losses = [final_loss(make, seed) for seed in range(SEEDS)]
        print(f"{name:>30}  {size:>5}  {np.mean(losses):.3f} ± {np.std(losses, ddof=1):.3f}")


if __name__ == "__main__":
    main()
