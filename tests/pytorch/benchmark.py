"""What the way through PyTorch costs: ``.venv/bin/python tests/pytorch/benchmark.py``.

Times steps that take turns on the same rows and gradients: this package's, the library's own on
NumPy, and PyTorch's optimizer for sparse gradients. Prints medians, and quotients and differences
turn by turn, which the load of a shared machine disturbs less than the times themselves.
"""

import time

import numpy as np
import torch

import sketchlab as sl
import sketchlab.torch as slt

STORES = {"m": sl.CountSketch(compression=5), "v": sl.CountMinSketch(compression=5)}


def timed(step):
    """Seconds of one call."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def in_turns(contenders, prepare, turns, untimed=3):
    """Seconds of each contender at each turn, (contenders, turns); each is the first in turn."""
    seconds = np.empty((len(contenders), turns))
    for turn in range(-untimed, turns):
        prepare(turn)
        order = np.roll(np.arange(len(contenders)), turn)
        for place in order:
            seconds[place, turn] = timed(contenders[place])  # untimed ones are written over
    return seconds


def overhead(count, sparse, turns=400):
    """Seconds that a step costs a parameter beyond the library's own steps, the median of turns."""
    n, dim, k = (20_000, 8, 64) if sparse else (600, 8, 600)
    rng = np.random.default_rng(0)
    parameters = [torch.nn.Parameter(torch.zeros(n, dim)) for _ in range(count)]
    opt = slt.Adam(parameters, **STORES)
    cores = [sl.Adam(np.zeros((n, dim), np.float32), **STORES) for _ in range(count)]
    values = rng.standard_normal((k, dim), np.float32)
    rows = np.sort(rng.choice(n, k, replace=False)) if sparse else None
    for parameter in parameters:
        parameter.grad = _gradient(rows, values, parameter)

    def own():
        for core in cores:
            core.step(values, rows=rows)

    seconds = in_turns([opt.step, own], lambda turn: None, turns)
    return np.median(seconds[0] - seconds[1]) / count, np.median(seconds[1]) / count


def sparse_steps(n=200_000, dim=256, k=4_096, turns=60):
    """Seconds at each turn of Adam CS-MV through PyTorch, of the library's, and of SparseAdam."""
    rng = np.random.default_rng(0)
    ours = torch.nn.Parameter(torch.zeros(n, dim))
    theirs = torch.nn.Parameter(torch.zeros(n, dim))
    table = np.zeros((n, dim), np.float32)
    opt, core = slt.Adam([ours], **STORES), sl.Adam(table, **STORES)
    reference = torch.optim.SparseAdam([theirs])
    values = rng.standard_normal((k, dim), np.float32)
    now = {}

    def prepare(turn):
        now["rows"] = np.sort(rng.choice(n, k, replace=False, shuffle=False))
        for parameter in (ours, theirs):
            parameter.grad = _gradient(now["rows"], values, parameter)

    contenders = [opt.step, lambda: core.step(values, rows=now["rows"]), reference.step]
    return in_turns(contenders, prepare, turns)


def _gradient(rows, values, like):
    if rows is None:
        return torch.from_numpy(values)
    return torch.sparse_coo_tensor(
        torch.from_numpy(rows)[None],
        torch.from_numpy(values),
        like.shape,
        is_coalesced=True,
        check_invariants=False,
    )


def main():
    """Print both tables."""
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print("\nbeyond the library's own step, a parameter (sketched Adam)")
    for sparse in (True, False):
        for count in (1, 10, 100):
            beyond, own = overhead(count, sparse)
            kind = "sparse" if sparse else "dense"
            print(f"{kind:>8}, {count:>3} parameters: {1e6 * beyond:5.1f} µs over {1e6 * own:.0f}")
    print("\none sparse step, n = 200,000, d = 256, k = 4,096")
    ours, own, theirs = sparse_steps()
    for name, seconds in [
        ("sketchlab.torch.Adam, CS-MV", ours),
        ("sketchlab.Adam, CS-MV, on NumPy", own),
        ("torch.optim.SparseAdam", theirs),
    ]:
        share = np.median(seconds / theirs)
        print(f"{name:>32}: {1e3 * np.median(seconds):6.2f} ms, {share:.2f} of SparseAdam's")


if __name__ == "__main__":
    main()
