"""The same seeds, the same gradients: the same bits as the library's optimizers on NumPy."""

import numpy as np
import pytest
import torch
from toys import COLUMNS, OPTIMIZERS, ROWS, dense, rows_and_values, sketches, sparse, table

import sketchlab as sl
import sketchlab.torch as slt

#: Stores of m and v, unseeded, besides the sketches that every optimizer meets.
PAIRS = {
    "exact": (sl.Dense(), sl.Dense(decay="global")),
    "head and tail": (
        sl.HeadTail(tail=sl.CountSketch(seed=9)),
        sl.HeadTail(tail=sl.CountMinSketch(seed=9), rows="frequent"),
    ),
    "weighted, conservative": (
        sl.CountSketch(row_weights=True, seed=2**64 - 1),
        sl.CountMinSketch(conservative=True),
    ),
    "shrunken, conservative": (
        sl.CountSketch(shrink=True, seed=3),
        sl.CountMinSketch(conservative=True),
    ),
    "shrunken tail, exact": (sl.HeadTail(tail=sl.CountSketch(shrink=True, seed=2)), sl.Dense()),
    "8 bit, rank 1": (sl.Quantized(), sl.Rank1()),
    "bucket, SM3": (sl.CountSketch(decay="bucket"), sl.SM3()),
    "exact, means": (sl.Dense(), sl.BucketMean(seed=4)),
    "two bytes": (sl.CountSketch(cells="bfloat16"), sl.Dense(cells="bfloat16")),
}
SHAPES = [(ROWS, COLUMNS), (700, 2, 3), (5000,)]


def seeded(store, place):
    """The store of one parameter, after the documented formula."""
    hashed = getattr(store, "tail", store)
    if not hasattr(hashed, "seed"):
        return store
    return store.with_seed(slt.parameter_seed(hashed.seed, place))


def gradient(step, parameter):
    """Sparse, dense, empty and of all rows in turn, for tensor and NumPy."""
    if step % 4 == 1 or parameter.ndim == 1:
        grad = dense(step, parameter)
        return grad, grad.numpy(), None
    count = {0: 40, 2: 0, 3: len(parameter)}[step % 4]
    rows, values = rows_and_values(step, parameter.shape, count)
    if step % 4 == 3:
        rows = np.random.default_rng(step).permutation(len(parameter))
    return sparse(rows, values, parameter), values.astype(parameter.detach().numpy().dtype), rows


def assert_same_run(cls, options, stores, dtype, steps=12):
    parameters = [table(shape, dtype, seed) for seed, shape in enumerate(SHAPES)]
    tables = [parameter.detach().numpy().copy() for parameter in parameters]
    opt = cls(parameters, **options, **stores, min_numel=0)
    cores = [
        cls.kind(copy, **options, **{name: seeded(store, place) for name, store in stores.items()})
        for place, copy in enumerate(tables)
    ]
    for step in range(steps):
        for parameter, core in zip(parameters, cores):
            parameter.grad, values, rows = gradient(step, parameter)
            core.step(values, rows=rows)
        opt.step()
    states = opt.state_dict()["state"]
    for place, (parameter, core) in enumerate(zip(parameters, cores)):
        np.testing.assert_array_equal(parameter.detach().numpy(), core.table)
        mine = core.state_dict()
        assert states[place].keys() == mine.keys()
        for key, value in mine.items():
            np.testing.assert_array_equal(states[place][key], value, err_msg=key)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_sketched_state_is_the_same_to_the_bit(name, dtype):
    cls, options = OPTIMIZERS[name]
    assert_same_run(cls, options, sketches(cls), dtype)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.filterwarnings("ignore::sketchlab.StoreSizeWarning")
def test_every_store_is_the_same_to_the_bit(pair):
    m, v = PAIRS[pair]
    assert_same_run(slt.Adam, {"lr": 0.01, "weight_decay": 0.1}, {"m": m, "v": v}, torch.float32)


def test_two_byte_cells_go_on_from_a_file(tmp_path):
    """They are written by ``torch.save``, read without pickle, and go on to the same bits."""
    stores = {"m": sl.CountSketch(cells="bfloat16"), "v": sl.CountMinSketch(cells="bfloat16")}
    whole, part = (torch.nn.Parameter(torch.zeros(ROWS, COLUMNS)) for _ in range(2))
    one, other = (slt.Adam([parameter], **stores, min_numel=0) for parameter in (whole, part))
    for step in range(8):
        if step == 4:
            torch.save((part.detach(), other.state_dict()), tmp_path / "state.pt")
            values, state = torch.load(tmp_path / "state.pt", weights_only=True)
            part = torch.nn.Parameter(values)
            other = slt.Adam([part], **stores, min_numel=0)
            other.load_state_dict(state)
        for parameter, opt in ((whole, one), (part, other)):
            parameter.grad = gradient(step, parameter)[0]
            opt.step()
    assert torch.equal(whole, part)
    assert state["state"][0]["v.cells"].dtype == torch.uint16


def test_clipped_rules_are_the_same_to_the_bit():
    stores = {"m": sl.CountSketch(decay="global"), "v": sl.CountMinSketch(decay="global")}
    assert_same_run(slt.Adam, {"clip": "feasible", "eps": 1e-3}, stores, torch.float32)


def test_seeds_differ_between_parameters_and_not_between_processes():
    model = [torch.nn.Parameter(torch.zeros(2000, 3)) for _ in range(3)]
    opt = slt.Momentum(model, lr=0.1, m=sl.CountSketch(seed=1234567))
    seeds = [opt.stores(parameter)["m"].description.seed for parameter in model]
    # the published first outputs of splitmix64 from that state
    assert seeds[:2] == [6457827717110365317, 3203168211198807973]
    assert len(set(seeds)) == 3


def test_parameters_are_numbered_through_all_groups():
    first, second, third = (torch.nn.Parameter(torch.zeros(2000, 3)) for _ in range(3))
    groups = [{"params": [first]}, {"params": [second], "m": sl.CountSketch(seed=5)}]
    opt = slt.Momentum(groups, lr=0.1)
    opt.add_param_group({"params": [third], "m": sl.CountSketch(seed=5)})
    assert opt.stores(first)["m"].description == sl.Dense()
    for place, parameter in ((1, second), (2, third)):
        expected = sl.CountSketch(seed=slt.parameter_seed(5, place))
        assert opt.stores(parameter)["m"].description == expected
