"""Streams read step by step, stores driven along them, errors as plain loops find them."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import sketchlab as sl
from analysis.__main__ import main
from analysis.advice import recorded, replays
from analysis.advice.candidates import WAYS
from analysis.advice.replay import Beside, Errors, replay
from analysis.advice.stream import Gradient, Stream
from analysis.problems.sampled_softmax import Sparse
from analysis.training import mach
from analysis.training.loop import train
from figures.common.reading import studies
from figures.common.style import house
from figures.replay import ON_REQUEST as FIGURE
from sketchlab.streams import FORMAT

ROOT = Path(__file__).resolve().parents[2]
N, DIM, K, STEPS = 60, 3, 8, 12


def gradients(seed=0, dense_steps=()):
    """Steps as (rows, values), in which rows repeat."""
    generator = np.random.default_rng(seed)
    frequency = 1 / np.arange(1, N + 1)
    for step in range(STEPS):
        rows = generator.choice(N, K, p=frequency / frequency.sum())
        rows = np.sort(rows) if step in dense_steps else rows
        yield rows, generator.standard_normal((K, DIM)).astype(np.float32)


def plain_arrays(**changed):
    rows, values = map(np.array, zip(*gradients()))
    return {"rows": rows, "values": values, "shape": np.array([N, DIM])} | changed


def recorded_arrays(**changed):
    """What `sketchlab.torch.record` writes; every step is of another length."""
    steps = [(rows[: 1 + number % K], values[: 1 + number % K]) for number, (rows, values) in
             enumerate(gradients())]  # fmt: skip
    arrays = {
        "format": FORMAT,
        "shape": np.array([N, DIM]),
        "offsets": np.cumsum([0, *(len(rows) for rows, _ in steps)]),
        "dense": np.zeros(STEPS, bool),
        "rows": np.concatenate([rows for rows, _ in steps]),
        "values": np.concatenate([values for _, values in steps]),
    }
    return {name: array for name, array in (arrays | changed).items() if array is not None}


@pytest.fixture
def written(tmp_path):
    def write(arrays, save=np.savez):
        path = tmp_path / "stream.npz"
        save(path, **arrays)
        return path

    return write


# -- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["plain", "compressed"])
def test_both_forms_are_read_step_by_step(written, save):
    stream = Stream(written(plain_arrays(), save))
    assert (stream.rows, stream.dim, stream.steps) == (N, DIM, STEPS)
    for (rows, values), found in zip(gradients(), stream, strict=True):
        np.testing.assert_array_equal(found.rows, rows)
        np.testing.assert_array_equal(found.values, values)
        assert not found.dense
    arrays = recorded_arrays()
    stream = Stream(written(arrays, save))
    assert [len(one.rows) for one in stream] == np.diff(arrays["offsets"]).tolist()
    np.testing.assert_array_equal(np.concatenate([one.values for one in stream]), arrays["values"])


def test_what_pytorch_recorded_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    slt = pytest.importorskip("sketchlab.torch")
    parameter = torch.nn.Parameter(torch.zeros(9, 2, 2))
    opt = slt.SGD([parameter], lr=0.1)
    with slt.record(parameter, tmp_path / "g.npz", steps=2):
        for row in (3, 7):
            parameter.grad = torch.zeros_like(parameter)
            parameter.grad[row] = row
            opt.step()
    stream = Stream(tmp_path / "g.npz")
    assert (stream.rows, stream.dim, stream.steps) == (9, 4, 2)
    assert [(one.rows.tolist(), one.values[0, 0], one.dense) for one in stream] == [
        ([3], 3.0, True),
        ([7], 7.0, True),
    ]


def test_only_a_step_is_in_memory(tmp_path):
    """Of 400 MB, read in a process that may not have them."""
    path = tmp_path / "large.npz"
    shape = (100, 1000, 1000)
    header = io.BytesIO()
    form = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, form)
    zeros = bytes(4 * shape[1] * shape[2])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("values.npy", "w", force_zip64=True) as member:
            member.write(header.getvalue())
            for _ in range(shape[0]):
                member.write(zeros)
        rows = io.BytesIO()
        np.save(rows, np.tile(np.arange(1000), (100, 1)))
        archive.writestr("rows.npy", rows.getvalue())
    script = (
        "import sys, tracemalloc; from analysis.advice.stream import Stream\n"
        "stream = Stream(sys.argv[1]); tracemalloc.start()\n"
        "print(stream.facts().entries, tracemalloc.get_traced_memory()[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path], cwd=ROOT, check=True, capture_output=True, text=True
    )
    entries, peak = map(int, done.stdout.split())
    assert entries == 100_000 and peak < 40e6


def test_touches_count_steps_not_entries(written):
    arrays = plain_arrays()
    expected = [sum(row in step for step in arrays["rows"]) for row in range(N)]
    assert Stream(written(arrays)).touches().tolist() == expected


def test_without_a_shape_the_largest_row_is_the_last(written):
    arrays = plain_arrays()
    del arrays["shape"]
    assert Stream(written(arrays)).rows == arrays["rows"].max() + 1


def test_equal_gradients_have_one_digest(written):
    first = Stream(written(plain_arrays())).facts()
    assert Stream(written(plain_arrays(), np.savez_compressed)).facts() == first
    changed = plain_arrays()
    changed["values"][3, 2, 1] += 1e-3
    assert Stream(written(changed)).facts().sha256 != first.sha256


def nan_at(step, value=np.nan):
    arrays = plain_arrays()
    arrays["values"][step, 2, 1] = value
    return arrays


BAD = [
    (nan_at(4), "step 5 has a NaN or an infinity in row"),
    (nan_at(0, -np.inf), "step 1 has a NaN or an infinity in row"),
    (plain_arrays(rows=plain_arrays()["rows"] - 1), "has row -1: rows go from 0 to 59"),
    (plain_arrays(shape=np.array([5, DIM])), "rows go from 0 to 4"),
    (plain_arrays(shape=np.array([N, 4])), "has not the 3 columns of values"),
    (plain_arrays(values=np.zeros((STEPS, K + 1, DIM), np.float32)), "do not match"),
    (plain_arrays(values=np.zeros((STEPS, K, DIM), np.float16)), "dtype float16"),
    (plain_arrays(rows=np.zeros((STEPS, K))), "rows have dtype float64, not integers"),
    ({"rows": np.zeros((2, 1), int)}, "it has no array values"),
    (plain_arrays(values=np.asfortranarray(plain_arrays()["values"])), "Fortran order"),
    ({"rows": np.zeros((0, K), int), "values": np.zeros((0, K, DIM), np.float32)}, "no steps"),
    (recorded_arrays(format="sketchlab-gradients-9"), "its format is 'sketchlab-gradients-9'"),
    (recorded_arrays(offsets=np.arange(STEPS + 1)), "offsets do not rise from 0 to the"),
    (recorded_arrays(dense=np.zeros(3, bool)), "dense is not one for every step"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "complaint"), BAD, ids=[text for _, text in BAD])
def test_bad_streams_are_one_line_and_exit_code_2(written, capsys, tmp_path, arrays, complaint):
    assert main(["replay", str(written(arrays)), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    line = printed.err.splitlines()[-1]
    assert line.startswith("error: ") and complaint in line and "stream.npz" in line
    assert printed.out == "" and not (tmp_path / "out").exists()


def test_damaged_files_are_one_line_and_exit_code_2(written, capsys, tmp_path):
    path = written(plain_arrays(), np.savez_compressed)
    whole = path.read_bytes()
    flipped = [_flipped(whole, at) for at in range(40, 700, 20)]
    for damaged in (whole[: len(whole) // 2], b"not a zip", b"", *flipped):
        path.write_bytes(damaged)
        assert main(["replay", str(path), "--out", str(tmp_path / "out")]) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("error: ") and "is damaged or not an .npz file" in line
    assert main(["replay", str(tmp_path / "none.npz")]) == 2
    assert "cannot read" in capsys.readouterr().err


def _flipped(whole, at):
    """The file with a few bytes of the compressed values changed."""
    at += whole.index(b"values.npy")
    return whole[:at] + bytes(255 - byte for byte in whole[at : at + 20]) + whole[at + 20 :]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--compressions", "0.5"], "--compressions 0.5: must be at least 1"),
        (["--compressions", "five"], "invalid float value: 'five'"),
        (["--optimizer", "sgd"], "optimizer 'sgd': known are adam"),
        (["--budget", "10 bananas"], "budget '10 bananas'"),
        (["--budget", "3"], "budget 3 bytes: the smallest of these stores takes"),
        (["--jobs", "0"], "--jobs 0: must be at least 1"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_code_2(written, capsys, arguments, complaint):
    assert main(["replay", str(written(plain_arrays())), *arguments]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ") and complaint in line


# -- errors ------------------------------------------------------------------------------------


def test_exact_state_has_no_error(written):
    result = replay(Stream(written(plain_arrays())), "Adam", {"m": sl.Dense(), "v": sl.Dense()})
    for errors in result["errors"].values():
        assert errors["error"] == pytest.approx(0, abs=1e-6)
        assert errors["cosine"] == pytest.approx(1) and errors["length"] == pytest.approx(1)
    assert result["state_bytes"] == result["exact_bytes"] == 2 * 4 * N * DIM


def momentum_by_hand():
    """Exact momentum, and that of stores that answer three times as much, in plain loops."""
    exact, updates = np.zeros((N, DIM)), []
    for rows, values in gradients():
        read = sorted(set(rows.tolist()))
        for row in read:
            exact[row] = 0.9 * exact[row] + sum(values[rows == row].astype(float))
        updates.append((read, exact[read].copy()))
    return updates


def test_updates_are_those_of_the_optimizer(written):
    """A width of one: every row is answered by the sum of all, with signs, as loops find it."""
    store = sl.CountSketch(width=1, depth=1, decay="global")
    signs = store.allocate(N, DIM).signs(np.arange(N))[0].astype(float)
    cell, kept = np.zeros(DIM), []
    for rows, values in gradients():
        cell = 0.9 * cell + (signs[rows][:, None] * values).sum(axis=0)
        kept.append([signs[row] * cell for row in sorted(set(rows.tolist()))])
    pairs = [
        (mine, exact)
        for step, (_, updates) in zip(kept, momentum_by_hand())
        for mine, exact in zip(step, updates)
    ]
    squares = [(mine @ mine, exact @ exact, mine @ exact) for mine, exact in pairs]
    kept_square, exact_square, product = np.sum(squares, axis=0)
    cosines = [p / np.sqrt(a * b) for a, b, p in squares]
    found = replay(Stream(written(plain_arrays())), "Momentum", {"m": store})
    update = found["errors"]["update, lazy"]
    distance = sum(((mine - exact) ** 2).sum() for mine, exact in pairs)
    assert update["error"] == pytest.approx(np.sqrt(distance / exact_square), rel=1e-4)
    assert update["length"] == pytest.approx(np.sqrt(kept_square / exact_square), rel=1e-4)
    cosine = product / np.sqrt(kept_square * exact_square)
    assert update["cosine"] == pytest.approx(cosine, abs=1e-4)
    assert update["row_shape"] == pytest.approx(1 - np.mean(cosines), abs=1e-4)
    assert update["rows"] == len(pairs)
    by = found["by_touches"]
    assert sum(one["rows"] for one in by) == len(pairs) and by[0]["touched"] == 1


def test_rows_are_grouped_by_the_steps_that_touch_them():
    errors, ones = Errors(), np.ones((1, 1))
    touches = np.array([1, 9, 10, 99, 100])
    beside = Beside((5, 1), "Momentum", {"m": sl.Dense()}, {}, touches, errors)
    for row in range(5):
        beside.step(Gradient(np.array([row]), ones.astype(np.float32), False))
    assert [(one["touched"], one["rows"]) for one in errors.by_touches("update, lazy")] == [
        (1, 2),
        (10, 2),
        (100, 1),
    ]


def test_a_dense_step_moves_all_rows(written):
    """Under lazy decay a row without gradient decays in a dense step, and only there."""
    arrays = recorded_arrays(dense=np.ones(STEPS, bool))
    stream = Stream(written(arrays))
    found = replay(stream, "Momentum", {"m": sl.Dense()})["errors"]["update, lazy"]
    assert found["rows"] == N * STEPS
    assert replay(stream, "Momentum", {"m": sl.Dense()})["errors"]["m"]["error"] == 0


def test_a_store_that_diverges_is_reported(written):
    """Forty rows a bucket under lazy decay of 0.9, at every step: unstable from twenty on."""
    steps = 900
    rows = np.tile(np.arange(40), (steps, 1))
    values = np.random.default_rng(0).standard_normal((steps, 40, 1)).astype(np.float32)
    stream = Stream(written({"rows": rows, "values": values}))
    store = sl.CountSketch(width=1, depth=1, decay="lazy")
    found = replay(stream, "Momentum", {"m": store})
    assert found["diverged"] and found["errors"] is None and found["by_touches"] is None


def test_own_decay_is_told_from_lazy(written):
    """Exact global state is off lazy state's updates, and not off its own."""
    stream = Stream(written(plain_arrays()))
    errors = replay(stream, "RMSprop", {"v": sl.Dense(decay="global")})["errors"]
    assert errors["update, own"]["error"] == pytest.approx(0, abs=1e-6)
    assert errors["update, lazy"]["error"] > 1e-4
    weighted = {"m": sl.Dense(row_weights=True), "v": sl.Dense(decay="global")}
    errors = replay(stream, "Adam", weighted)["errors"]
    assert errors["update, own"]["error"] == pytest.approx(0, abs=1e-6)
    assert errors["update, lazy"]["error"] > 0.1


# -- the command -------------------------------------------------------------------------------


def study_of(folder):
    return json.loads((folder / "replay.json").read_text())["studies"][-1]


def test_all_stores_at_the_sizes_asked_for(written, capsys, tmp_path):
    path, out = written(plain_arrays()), tmp_path / "out"
    asked = ["--optimizer", "momentum", "--compressions", "2", "6", "--budget", "300"]
    assert main(["replay", str(path), *asked, "--jobs", "1", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    summary, exact = study_of(out)["summary"], 4 * N * DIM
    rows = summary["rows"]
    sized = {way.name for way in WAYS["Momentum"] if way.sized}
    assert {row["way"] for row in rows} >= sized and "8 bit" in {row["way"] for row in rows}
    for row in rows:
        live = replays._stores(row)["m"].allocate(N, DIM)
        assert row["state_bytes"] == live.nbytes < exact
        assert row["way"] in printed
    assert {2.0, 6.0} <= {row["compression"] for row in rows if row["way"] in sized}
    front = [row for row in rows if row["front"]]
    assert [row["measure"] for row in front] == sorted(
        (row["measure"] for row in front), reverse=True
    )
    beaten = [row for row in rows if not row["front"]]
    for row in beaten:
        assert any(
            one["measure"] <= row["measure"] and one["state_bytes"] <= row["state_bytes"]
            for one in front
        )
    best = rows[summary["recommended"]]
    within = [row["measure"] for row in rows if row["state_bytes"] <= 300]
    assert best["state_bytes"] <= 300 and best["measure"] == min(within)
    line = printed.split("Within 300 B: ")[1].splitlines()[0]
    made = eval(line, {"sl": sl, "table": np.zeros((N, DIM), np.float32)})
    assert made.nbytes == best["state_bytes"]
    assert (out / "replay.png").exists() and "replay STREAM" in (out / "replay.md").read_text()
    with house():
        page = FIGURE.draw(*studies(out, ("replay",)))
        page.draw_without_rendering()
        box, (width, height) = page.get_tightbbox(), page.get_size_inches()
        assert min(box.x0, box.y0) > -0.01 and box.x1 < width + 0.01 and box.y1 < height + 0.01


@pytest.mark.parametrize("table", [0, 1])
def test_a_recorded_task_is_what_training_sees(table, tmp_path, capsys):
    path = tmp_path / "new" / "mach.npz"
    asked = ["--optimizer", "rmsprop", "--steps", "3", "--table", str(table), "--out", str(path)]
    assert main(["record", "mach", *asked]) == 0
    stream = Stream(path)
    assert f"3 steps of mach, RMSprop exact, table {stream.rows:,} x" in capsys.readouterr().out
    settings = recorded.exact_of(Path("results"), "mach", "RMSprop") | {"replicate": 1}
    begun = mach.begin(settings)
    wanted = train(begun.optimizers, begun.gradient, settings["steps"], settings["learning_rate"])
    for found, step in zip(stream, wanted):
        part, shape = step.gradients[table], begun.optimizers[table].table.shape
        dense = np.zeros(shape, np.float32)
        if isinstance(part, Sparse):
            np.add.at(dense, part.rows, part.values)
        else:
            dense += part.reshape(shape)
        assert found.dense is not isinstance(part, Sparse)
        np.add.at(dense, found.rows, -found.values)
        assert not dense.any()
        if found.dense:
            assert found.values.any(axis=1).all()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["mach", "--steps", "0"], "--steps 0: must be at least 1"),
        (["mach", "--table", "2"], "--table 2: mach has 2, from 0"),
        (["mach", "--optimizer", "adagrad"], "no finished training of 'mach' with Adagrad"),
        (["mach", "--steps", "1", "--out", "/dev/null/x.npz"], "cannot write /dev/null/x.npz"),
        (["faces"], "invalid choice: 'faces'"),
        (["wikitext-lstm", "--optimizer", "adagrad"], "no finished training of 'wikitext-lstm'"),
    ],
)
def test_what_cannot_be_recorded_is_said_in_a_line(asked, said, capsys):
    assert main(["record", *asked]) == 2
    captured = capsys.readouterr()
    (line,) = [line for line in captured.err.split("\n") if "error" in line]
    assert said in line and not captured.out


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(written, tmp_path):
    rows = np.random.default_rng(0).integers(500, size=(700, 50))
    values = np.ones((700, 50, 8), np.float32)
    path, out = written({"rows": rows, "values": values}), tmp_path / "out"
    command = [sys.executable, "-m", "analysis", "replay", path, "--optimizer", "momentum"]
    command += ["--compressions", "5", "6", "7", "--jobs", "1", "--out", out]

    def finished():
        file = out / "replay.json"
        return json.loads(file.read_text())["runs"] if file.exists() else []

    process = subprocess.Popen(
        [*map(str, command)], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while len(finished()) < 2:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in errors.splitlines()[-1]
    kept = finished()
    done = subprocess.run(
        [*map(str, command)], cwd=ROOT, check=True, capture_output=True, text=True, timeout=300
    )
    assert finished()[: len(kept)] == kept and len(finished()) > len(kept) >= 2
    assert f"{len(kept)} of {len(finished())} runs were in" in done.stderr and "left" in done.stderr
