"""The speed experiment: what it counts, and that it makes up nothing where there is no GPU."""

import numpy as np
import pytest

import sketchlab as sl
from analysis import __main__ as command_line
from analysis.experiments import gpu_speed
from analysis.timing import gpu_contenders, gpu_events
from analysis.timing.gpu_contenders import CONTENDERS, ROWS, draw, least_bytes, stores
from sketchlab.errors import BackendError
from sketchlab.stores.description import Description


@pytest.mark.parametrize(
    ("optimizer", "k", "numbers"),
    [
        ("Adam CS-MV", 100, 22 * 100),  # 2 x 9 cells, gradient twice, parameters read and written
        ("Adam CS-V", 100, 15 * 100),
        ("RMSprop CMS", 100, 13 * 100),
        ("Adam exact", 100, 7 * 100),
        ("Adam exact", None, 7 * 3000),
        ("Adam CS-MV", None, 4 * 3000 + 2 * 3 * 3 * 200),
    ],
)
def test_least_bytes(optimizer, k, numbers):
    assert least_bytes(optimizer, 3000, 8, k) == 4 * 8 * numbers


CONFIGURATION = {
    "mode": "quick",
    "seed": 0,
    "repeats": 2,
    "device": {},
    "shapes": [[20, 3, 6], [50, 4, 6], [20, 3, None]],
}


def test_every_decay_store_and_order_of_rows_is_timed_once():
    runs = gpu_speed.runs(CONFIGURATION)
    assert len({str(run) for run in runs}) == len(runs)
    ours = [run for run in runs if run["by"] == "sketchlab"]
    kept = [store for run in ours for store in stores(run["optimizer"])[1].values()]
    offered = {
        kind
        for kind in vars(sl).values()
        if isinstance(kind, type) and issubclass(kind, Description)
    }
    host_only = {sl.Rank1SVD}
    assert {type(store) for store in kept} == offered - {Description} - host_only
    decays = {store.decay for store in kept if isinstance(store, sl.CountMinSketch)}
    assert decays == {"lazy", "global", "bucket"}
    assert any(getattr(store, "conservative", False) for store in kept)
    assert {run["rows"] for run in ours} == set(ROWS)
    assert {run["dim"] for run in ours if run["rows"] != "ascending"} == {4}


def test_rows_come_as_they_are_named():
    rng = np.random.default_rng(0)
    ascending, unsorted, zipf = (draw(1000, 400, rows, rng) for rows in ROWS)
    assert (np.diff(ascending) > 0).all()
    assert len(set(unsorted)) == 400 and (np.diff(unsorted) < 0).any()
    assert zipf.min() >= 0 and zipf.max() < 1000
    # row 0 has a probability of log 2 / log 1000, a tenth: 20 to 60 of 400 at five deviations
    assert 10 <= np.count_nonzero(zipf == 0) <= 70


def test_zipf_rows_are_summed_first():
    n, k, dim = 1000, 400, 8
    distinct = len(np.unique(draw(n, k, "Zipf", np.random.default_rng(3))))
    summing = (k + distinct) * (4 * dim + 8)
    expected = least_bytes("Adam exact", n, dim, distinct) + summing
    assert least_bytes("Adam exact", n, dim, k, "Zipf", seed=3) == expected


def test_batches_are_larger_than_the_cache(monkeypatch):
    settings = {
        "optimizer": "Adam exact",
        "n": 1000,
        "dim": 4,
        "k": 10,
        "rows": "unsorted",
        "seed": 0,
    }
    touched = least_bytes("Adam exact", 1000, 4, 10)
    monkeypatch.setattr(gpu_events, "l2_bytes", lambda: 10 * touched)
    assert len(gpu_contenders.batches(settings)) == 20
    monkeypatch.setattr(gpu_events, "l2_bytes", lambda: None)
    assert len(gpu_contenders.batches(settings)) == gpu_contenders.BATCHES


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"), "not fit"),
        (BackendError("the GPU is out of memory: free arrays"), "not fit"),
        (MemoryError(), "not fit"),
        (BackendError("something else"), "something else"),
        (gpu_contenders.Missing("PyTorch is not installed"), "not installed"),
    ],
)
def test_what_cannot_be_timed_is_left_out_with_a_line(monkeypatch, error, said):
    released = []

    def fail(settings):
        raise error

    monkeypatch.setattr(gpu_events, "release", lambda: released.append(1))
    monkeypatch.setattr(gpu_events, "copy_bandwidth", lambda repeats: 1e12)
    monkeypatch.setitem(CONTENDERS, "sketchlab", fail)
    settings = gpu_speed.runs(CONFIGURATION)[0]
    found = gpu_speed.measure(settings, None)
    assert said in found["missing"]
    assert len(released) == 2  # before and after: the next contender finds the memory free
    row = gpu_speed.present(CONFIGURATION | {"device": {"name": "x"}}, {"rows": [settings | found]})
    assert any(said in cell for cell in row.rows[0])


def test_other_errors_are_not_hidden(monkeypatch):
    def fail(settings):
        raise TypeError("a slip of ours")

    monkeypatch.setattr(gpu_events, "release", lambda: None)
    monkeypatch.setattr(gpu_events, "copy_bandwidth", lambda repeats: 1e12)
    monkeypatch.setitem(CONTENDERS, "sketchlab", fail)
    with pytest.raises(TypeError, match="a slip"):
        gpu_speed.measure(gpu_speed.runs(CONFIGURATION)[0], None)


def test_nothing_is_written_without_a_gpu(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu_events, "why_not", lambda: "no GPU was found")
    assert command_line.main(["run", "gpu-speed", "--out", str(tmp_path / "results")]) == 2
    assert "no GPU was found" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
