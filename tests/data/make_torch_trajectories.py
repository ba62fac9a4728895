"""Write torch_trajectories.npz: what torch.optim does, for the exact optimizers to agree with.

Run with a Python that has torch: `python tests/data/make_torch_trajectories.py`. The archive keeps
the gradients and rows of both streams, and for every case its settings (as JSON) and the table
after some of the steps, so that the comparison needs no torch.
"""

import json
from pathlib import Path

import numpy as np
import torch

N, DIM, STEPS = 16, 5, 60
SNAPSHOTS = [1, 2, 3, 10, 30, STEPS]

# (case, torch class, settings, stream). SparseAdam and RMSprop place eps elsewhere than we do:
# there it is too small to matter. SGD couples its weight decay, which for SGD is the same.
CASES = [
    ("sgd", "SGD", {"lr": 0.1}, "dense"),
    ("momentum", "SGD", {"lr": 0.1, "momentum": 0.9}, "dense"),
    ("nesterov", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, "dense"),
    ("adagrad", "Adagrad", {"lr": 0.1, "eps": 1e-10}, "dense"),
    ("rmsprop", "RMSprop", {"lr": 0.01, "alpha": 0.95, "eps": 1e-20}, "dense"),
    ("adam", "Adam", {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-3}, "dense"),
    ("adam_beta1_0", "Adam", {"lr": 0.01, "betas": (0.0, 0.99), "eps": 1e-3}, "dense"),
    (
        "amsgrad",
        "Adam",
        {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-3, "amsgrad": True},
        "dense",
    ),
    ("sgd_decayed", "SGD", {"lr": 0.1, "weight_decay": 0.05}, "dense"),
    (
        "adamw",
        "AdamW",
        {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-3, "weight_decay": 0.1},
        "dense",
    ),
    ("sgd_sparse", "SGD", {"lr": 0.1}, "sparse"),
    ("adagrad_sparse", "Adagrad", {"lr": 0.1, "eps": 1e-10}, "sparse"),
    ("sparse_adam", "SparseAdam", {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-20}, "sparse"),
    (
        "sparse_adam_beta1_0",
        "SparseAdam",
        {"lr": 0.01, "betas": (0.0, 0.99), "eps": 1e-20},
        "sparse",
    ),
]


def make_streams(rng):
    """Gradients of a dense stream, and of a sparse one with repeated rows and an empty step."""
    sizes = rng.integers(1, 9, size=STEPS)
    sizes[[4, 20]] = 0
    sizes[8] = 2 * N
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return {
        "table": rng.standard_normal((N, DIM)).astype(np.float32),
        "dense_grads": rng.standard_normal((STEPS, N, DIM)).astype(np.float32),
        "sparse_grads": rng.standard_normal((offsets[-1], DIM)).astype(np.float32),
        "sparse_rows": rng.integers(0, N, size=offsets[-1]).astype(np.int32),
        "sparse_offsets": offsets.astype(np.int32),
    }


def gradient(streams, stream, step, dtype):
    """The gradient of one step as a torch tensor, sparse and uncoalesced for the sparse stream."""
    if stream == "dense":
        return torch.from_numpy(streams["dense_grads"][step]).to(dtype)
    part = slice(streams["sparse_offsets"][step], streams["sparse_offsets"][step + 1])
    rows = torch.from_numpy(streams["sparse_rows"][part].astype(np.int64))
    values = torch.from_numpy(streams["sparse_grads"][part]).to(dtype)
    return torch.sparse_coo_tensor(rows[None], values, (N, DIM), check_invariants=True)


def trajectory(streams, optimizer, settings, stream, dtype):
    """Tables after the steps in SNAPSHOTS, (len(SNAPSHOTS), N, DIM)."""
    table = torch.nn.Parameter(torch.from_numpy(streams["table"]).to(dtype).clone())
    opt = getattr(torch.optim, optimizer)([table], **settings)
    tables = []
    for step in range(STEPS):
        table.grad = gradient(streams, stream, step, dtype)
        opt.step()
        if step + 1 in SNAPSHOTS:
            tables.append(table.detach().numpy().copy())
    return np.stack(tables)


def main():
    """Write the archive beside this file."""
    streams = make_streams(np.random.default_rng(20190613))
    cases = {
        case: {"torch_class": optimizer, "settings": settings, "stream": stream}
        for case, optimizer, settings, stream in CASES
    }
    tables = {
        f"{case}_{name}": trajectory(streams, optimizer, settings, stream, dtype)
        for case, optimizer, settings, stream in CASES
        for name, dtype in [("float32", torch.float32), ("float64", torch.float64)]
    }
    np.savez_compressed(
        Path(__file__).with_name("torch_trajectories.npz"),
        torch_version=torch.__version__,
        snapshots=SNAPSHOTS,
        cases=json.dumps(cases),
        **streams,
        **tables,
    )


if __name__ == "__main__":
    main()
