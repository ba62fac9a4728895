"""Gradients of a run written to a file: what the step saw, within a size, whole or not at all."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from toys import SKETCHED, dense, rows_and_values, sparse, table, tagger, train

import sketchlab as sl
import sketchlab.torch as slt
from sketchlab.streams import FORMAT


def steps_of(path):
    """The recorded gradients: (rows, values, whether dense) of each step."""
    with np.load(path, allow_pickle=False) as file:
        assert str(file["format"]) == FORMAT
        parts = zip(file["offsets"][:-1], file["offsets"][1:], file["dense"], strict=True)
        return [(file["rows"][a:b], file["values"][a:b], bool(dense)) for a, b, dense in parts]


@pytest.mark.parametrize(
    "make", [lambda p: slt.Adam(p, **SKETCHED), lambda p: torch.optim.SGD(p, lr=0.1)]
)
def test_sparse_and_dense_gradients_of_any_optimizer(make, tmp_path):
    parameter, other = table((60, 2, 3)), table((4,))
    opt = make([parameter, other])
    drawn = [rows_and_values(step, parameter.shape, 12) for step in range(2)]
    slt.record(parameter, tmp_path / "g.npz", steps=3)
    for rows, values in drawn:
        parameter.grad, other.grad = sparse(rows, values, parameter), dense(0, other)
        opt.step()
    parameter.grad = torch.zeros_like(parameter)
    parameter.grad[[7, 50]] = 1.5
    assert not (tmp_path / "g.npz").exists()
    opt.step()
    recorded = steps_of(tmp_path / "g.npz")
    for (rows, values), (found, kept, was_dense) in zip(drawn, recorded):
        np.testing.assert_array_equal(found, rows)
        np.testing.assert_array_equal(kept, values.reshape(12, 6))
        assert not was_dense
    rows, values, was_dense = recorded[2]
    assert rows.tolist() == [7, 50] and was_dense
    np.testing.assert_array_equal(values, np.full((2, 6), 1.5))
    with np.load(tmp_path / "g.npz") as file:
        assert file["shape"].tolist() == [60, 2, 3] and file["values"].dtype == np.float32
    assert [entry.name for entry in tmp_path.iterdir()] == ["g.npz"]


def test_the_gradient_is_the_one_that_the_step_saw(tmp_path):
    model, opt = tagger()
    words = torch.tensor([3, 8])
    with slt.record(model.embedding.weight, tmp_path / "g.npz", steps=9):
        for _ in range(2):  # accumulated, then clipped
            model(words).sum().backward()
        total = slt.clip_grad_norm_(model.parameters(), 0.5)
        opt.step()
        opt.zero_grad()
        opt.step()  # has no gradient and does not count
    ((rows, values, _),) = steps_of(tmp_path / "g.npz")
    expected = model.head.weight.detach().sum(0)
    assert total > 0.5 and rows.tolist() == [3, 8]
    assert np.linalg.norm(values) < 0.5 < expected.norm() * 2 * 2**0.5


def test_recording_changes_nothing_and_ends(tmp_path):
    plain, reference = tagger()
    train(plain, reference, 5)
    model, opt = tagger()
    recording = slt.record(model.embedding.weight, tmp_path / "g.npz", steps=3)
    train(model, opt, 5)
    assert recording.taken == 3 and len(steps_of(tmp_path / "g.npz")) == 3
    assert torch.equal(model.embedding.weight, plain.embedding.weight)
    recording.close()


def test_a_size_limit_ends_the_recording_at_a_whole_step(tmp_path):
    parameter = table((60, 4))
    opt = slt.SGD([parameter], lr=0.1)
    size = 10 * (8 + 4 * 4)  # ten rows of int64 and four float32
    slt.record(parameter, tmp_path / "g.npz", steps=9, max_bytes=2 * size + 1)
    for step in range(2):
        parameter.grad = sparse(*rows_and_values(step, (60, 4), 10), parameter)
        opt.step()
    with pytest.warns(UserWarning, match="recorded 2 of 9 steps.*max_bytes=481"):
        opt.step()
    assert len(steps_of(tmp_path / "g.npz")) == 2
    opt.step()


def test_files_are_compressed(tmp_path):
    parameter = table((5000, 8))
    opt = slt.SGD([parameter], lr=0.1)
    recording = slt.record(parameter, tmp_path / "g.npz", steps=1)
    parameter.grad = torch.ones_like(parameter)
    opt.step()
    assert (tmp_path / "g.npz").stat().st_size < 0.1 * recording.nbytes


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_values_lose_nothing(dtype, tmp_path):
    parameter = table((5, 2), dtype)
    opt = slt.SGD([parameter], lr=0.1)
    parameter.grad = dense(0, parameter)
    with slt.record(parameter, tmp_path / "g.npz", steps=1):
        opt.step()
    ((_, values, _),) = steps_of(tmp_path / "g.npz")
    assert torch.equal(torch.from_numpy(values).to(dtype), parameter.grad)


SCRIPT = """
import sys, torch, sketchlab.torch as slt
parameter = torch.nn.Parameter(torch.zeros(3, 2))
opt = slt.SGD([parameter], lr=0.1)
slt.record(parameter, sys.argv[1], steps=9)
parameter.grad = torch.ones(3, 2)
opt.step()
raise SystemExit("stopped early")
"""


def test_a_program_that_ends_early_leaves_what_it_recorded(tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path / "g.npz"], check=False)
    assert done.returncode == 1
    assert len(steps_of(tmp_path / "g.npz")) == 1


def test_bad_arguments_are_refused_at_once(tmp_path):
    for arguments, error, message in [
        ((tmp_path / "nowhere" / "g.npz", 3), sl.InputError, "no folder"),
        ((tmp_path / "g.npz", 0), sl.ConfigurationError, "steps=0"),
    ]:
        with pytest.raises(error, match=message):
            slt.record(table(), *arguments)
    with pytest.raises(sl.ConfigurationError, match="max_bytes=0"):
        slt.record(table(), tmp_path / "g.npz", 1, max_bytes=0)
