"""Checkpoints: exact continuation, atomic files, and refusals that leave the optimizer alone."""

import io
import json
import os
import re

import numpy as np
import pytest

import sketchlab as sl

SHAPE = (60, 3)


def build(kind="adam", dtype=np.float32, **changes):
    """A small optimizer with a compressed state."""
    table = np.zeros(changes.pop("shape", SHAPE), dtype)
    m = changes.pop("m", sl.CountSketch(width=16, seed=3, decay="global", clean=sl.Clean(0.5, 4)))
    v = changes.pop("v", sl.CountMinSketch(width=16, seed=4, conservative=True))
    backend = changes.pop("backend", "reference")
    if kind == "adam":
        return sl.Adam(table, 0.01, m=m, v=v, backend=backend, **changes)
    return sl.RMSprop(table, 0.01, v=v, backend=backend, **changes)


def run(opt, steps, seed=0):
    """Some steps of a stream that depends on the seed and the step only."""
    for _ in range(steps):
        rng = np.random.default_rng([seed, opt.step_count])
        rows = rng.integers(0, len(opt.table), 20)
        opt.step(rng.normal(size=(20, *opt.table.shape[1:])), rows=rows)
    return opt


def assert_same_state(left, right):
    """Both dicts hold the same keys and the same bits."""
    assert left.keys() == right.keys()
    for key, value in left.items():
        np.testing.assert_array_equal(value, right[key], err_msg=key)


STORES = {
    "dense": {"m": sl.Dense(), "v": sl.Dense(decay="global")},
    "sketches": {},
    "rank1": {"m": sl.Rank1SVD(), "v": sl.Rank1()},
}


@pytest.mark.parametrize("stores", STORES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_saved_run_goes_on_to_the_same_bits(tmp_path, stores, dtype, backend):
    straight = run(build(dtype=dtype, backend=backend, **STORES[stores]), 12)

    first = run(build(dtype=dtype, backend=backend, **STORES[stores]), 7)
    first.save(tmp_path / "run.npz")
    second = build(dtype=dtype, backend=backend, **STORES[stores])
    second.table[:] = first.table
    second.load(tmp_path / "run.npz")
    run(second, 5)

    assert second.step_count == 12
    np.testing.assert_array_equal(second.table, straight.table)
    assert_same_state(second.state_dict(), straight.state_dict())


def test_the_learning_rate_comes_back():
    opt = run(build(), 2)
    opt.lr = 0.25
    other = build()
    other.load_state_dict(opt.state_dict())
    assert other.lr == 0.25


def test_state_is_plain_and_a_copy():
    opt = run(build(), 3)
    state = opt.state_dict()
    assert all(type(value) in (str, int, float, np.ndarray) for value in state.values())
    frozen = {key: np.copy(value) for key, value in state.items()}
    run(opt, 3)
    assert_same_state(state, frozen)


def test_a_file_has_the_name_that_was_given_and_leaves_nothing_beside_it(tmp_path):
    run(build(), 1).save(tmp_path / "state")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_files_need_no_pickle(tmp_path):
    run(build(), 1).save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz", allow_pickle=False) as arrays:
        assert json.loads(str(arrays["m.description"]))["kind"] == "CountSketch"


OTHERS = {
    "optimizer": lambda: build("rmsprop"),
    "shape": lambda: build(shape=(61, 3)),
    "dtype": lambda: build(dtype=np.float64),
    "rule": lambda: build(betas=(0.8, 0.999)),
    "m.description": lambda: build(m=sl.CountSketch(width=16, seed=5, decay="global")),
    "v.description": lambda: build(v=sl.CountMinSketch(width=16, seed=4)),
}


@pytest.mark.parametrize("difference", OTHERS)
def test_another_configuration_is_refused_by_name(difference):
    state = run(build(), 3).state_dict()
    other = run(OTHERS[difference](), 2, seed=9)
    before, table = other.state_dict(), other.table.copy()
    with pytest.raises(sl.CheckpointError, match=re.escape(f"{difference} is")):
        other.load_state_dict(state)
    assert_same_state(other.state_dict(), before)
    np.testing.assert_array_equal(other.table, table)


def test_a_folded_store_does_not_fit_an_unfolded_one():
    folded = run(build(), 2)
    folded.m.fold()
    with pytest.raises(sl.CheckpointError, match="width"):
        build().load_state_dict(folded.state_dict())


class Tensor:
    """What a tensor of another library shows: an array in host memory, a number by `item`."""

    def __init__(self, value):
        self.value = np.asarray(value)
        self.ndim = self.value.ndim

    def __array__(self, dtype=None, copy=None):
        return self.value

    def item(self):
        return self.value.item()


def as_read(state):
    """As ``dict(np.load(file))`` gives it."""
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    return dict(np.load(file))


LOSSLESS = {
    "a file read by NumPy": as_read,
    "JSON": lambda state: json.loads(
        json.dumps(
            {
                key: value.tolist() if hasattr(value, "tolist") else value
                for key, value in state.items()
            }
        )
    ),
    "tensors": lambda state: {
        key: value if isinstance(value, str) else Tensor(value) for key, value in state.items()
    },
    "NumPy's numbers": lambda state: (
        state | {"step_count": np.int64(state["step_count"]), "lr": np.float64(state["lr"])}
    ),
    "another byte order": lambda state: {
        key: value.astype(value.dtype.newbyteorder()) if isinstance(value, np.ndarray) else value
        for key, value in state.items()
    },
}


@pytest.mark.parametrize("form", LOSSLESS)
@pytest.mark.parametrize("stores", STORES)
def test_a_state_comes_back_from_whatever_keeps_all_of_it(form, stores):
    opt = run(build(**STORES[stores]), 3)
    other = build(**STORES[stores])
    other.load_state_dict(LOSSLESS[form](opt.state_dict()))
    other.table[:] = opt.table
    assert_same_state(run(other, 2).state_dict(), run(opt, 2).state_dict())
    np.testing.assert_array_equal(other.table, opt.table)


@pytest.mark.parametrize("lr", [1, np.float32(0.25), np.int8(2), np.array(0.5)])
def test_a_learning_rate_may_be_any_number(lr):
    other = build()
    other.load_state_dict(run(build(), 1).state_dict() | {"lr": lr})
    assert other.lr == float(lr)
    assert type(other.state_dict()["lr"]) is float


DAMAGES = {
    "v.cells in a list": lambda state: state.update(
        {"v.cells": (state["v.cells"].astype(np.float64) + 1e-12).tolist()}
    ),
    "step_count not whole": lambda state: state.update(step_count=1.5),
    "lr a text": lambda state: state.update(lr="0.1"),
    "v.multiplier a flag": lambda state: state.update({"v.multiplier": True}),
    "format": lambda state: state.update(format="sketchlab-state-0"),
    "hash": lambda state: state.update(hash="murmur"),
    "missing": lambda state: state.pop("v.cells"),
    "unknown": lambda state: state.update(extra=1),
    "step_count": lambda state: state.update(step_count=-1),
    "lr": lambda state: state.update(lr=float("nan")),
    "m.cells": lambda state: state.update({"m.cells": state["m.cells"][:, 1:]}),
    "v.cells": lambda state: state.update({"v.cells": state["v.cells"].astype(np.float64)}),
    "v.multiplier": lambda state: state.update({"v.multiplier": "one"}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_refused_and_changes_nothing(damage):
    state = run(build(), 3).state_dict()
    DAMAGES[damage](state)
    other = run(build(), 2, seed=9)
    before = other.state_dict()
    with pytest.raises(sl.CheckpointError, match=damage.split()[0].replace(".", r"\.")):
        other.load_state_dict(state)
    assert_same_state(other.state_dict(), before)


@pytest.mark.parametrize("what", [None, 3, [], {}])
def test_what_is_no_state_is_refused(what):
    with pytest.raises(sl.CheckpointError, match="format"):
        build().load_state_dict(what)


def test_truncated_files_are_refused_wherever_they_end(tmp_path):
    opt = run(build(), 3)
    opt.save(tmp_path / "run.npz")
    whole = (tmp_path / "run.npz").read_bytes()
    before = opt.state_dict()
    cut = tmp_path / "cut.npz"
    for end in [0, 1, 100, *range(200, len(whole), 997), len(whole) - 1]:
        cut.write_bytes(whole[:end])
        with pytest.raises(sl.CheckpointError, match=r"cut\.npz"):
            opt.load(cut)
    assert_same_state(opt.state_dict(), before)


def test_a_flipped_byte_is_refused_or_harmless(tmp_path):
    opt = run(build(), 3)
    opt.save(tmp_path / "run.npz")
    whole = bytearray((tmp_path / "run.npz").read_bytes())
    before = opt.state_dict()
    refused = 0
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(whole), 300):
        damaged = whole.copy()
        damaged[at] ^= 0xFF
        (tmp_path / "flipped.npz").write_bytes(damaged)
        try:
            opt.load(tmp_path / "flipped.npz")
        except sl.CheckpointError:
            refused += 1
        # whatever a flip in unused bytes of the container did, the state is the true one
        assert_same_state(opt.state_dict(), before)
    assert refused > 200


def test_foreign_and_missing_files_are_refused(tmp_path):
    opt = build()
    np.savez(tmp_path / "foreign.npz", a=np.ones(3))
    (tmp_path / "text.npz").write_text("not a checkpoint")
    for name, reason in [
        ("foreign.npz", "format is None"),
        ("text.npz", "not a sketchlab checkpoint"),
        ("missing.npz", "cannot read"),
    ]:
        with pytest.raises(sl.CheckpointError, match=reason):
            opt.load(tmp_path / name)


def test_a_failed_save_keeps_the_older_file(tmp_path, monkeypatch):
    opt = run(build(), 3)
    path = tmp_path / "run.npz"
    opt.save(path)
    old = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(sl.CheckpointError, match="No space left"):
        run(opt, 1).save(path)
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_an_interrupted_save_keeps_the_older_file(tmp_path, monkeypatch):
    opt = run(build(), 3)
    path = tmp_path / "run.npz"
    opt.save(path)
    old = path.read_bytes()

    def interrupted(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(opt, 1).save(path)
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(sl.CheckpointError, match="nowhere"):
        build().save(tmp_path / "nowhere" / "run.npz")
