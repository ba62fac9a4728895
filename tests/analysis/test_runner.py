"""Results are kept run by run, never made twice, and survive whatever happens to a call."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from analysis.lab import report, results
from analysis.lab.errors import UsageError
from analysis.lab.results import Record
from analysis.lab.runner import run
from analysis.lab.study import Experiment, Table


class Squares:
    """An experiment of two stages: squares of numbers, then the square of their sum."""

    def __init__(self):
        self.measured = []
        self.fail_at = None
        self.failure = None
        self.experiment = Experiment(
            name="squares",
            title="Squares",
            source="arithmetic",
            configure=None,
            stages=self.stages,
            measure=self.measure,
            summarise=self.summarise,
            present=self.present,
            cost=lambda settings: 1,
            workload=lambda configuration: (configuration["count"] + 1, configuration["count"] + 1),
        )

    def stages(self, configuration, result_of):
        yield self.first(configuration)
        yield self.second(configuration, result_of)

    def first(self, configuration):
        return [{"number": number} for number in range(configuration["count"])]

    def second(self, configuration, result_of):
        return [{"number": sum(map(result_of, self.first(configuration)))}]

    def measure(self, settings, inputs):
        if settings["number"] == self.fail_at:
            raise self.failure
        self.measured.append(settings["number"])
        return settings["number"] ** 2

    def summarise(self, configuration, result_of):
        return {"square": result_of(self.second(configuration, result_of)[0])}

    def present(self, configuration, summary):
        return Table("Squares", ("square",), [(str(summary["square"]),)], ["a *note*"])


@pytest.fixture
def squares():
    return Squares()


def call(squares, folder, count=4):
    with ThreadPoolExecutor(1) as executor:
        configuration = {"count": count, "mode": "full"}
        return run(squares.experiment, configuration, None, folder, executor, progress=False)


def content(folder):
    return json.loads((folder / "squares.json").read_text())


def test_where_no_run_can_be_made_nothing_is_left_behind(squares, tmp_path):
    squares.fail_at, squares.failure = 0, UsageError("PyTorch is not installed")
    with pytest.raises(UsageError, match="PyTorch"):
        call(squares, tmp_path)
    assert list(tmp_path.iterdir()) == []
    squares.fail_at = None
    kept = call(squares, tmp_path)
    squares.fail_at = 4
    with pytest.raises(UsageError, match="PyTorch"):
        call(squares, tmp_path, count=9)  # numbers 0 to 3 are there: this study has begun
    assert [study["summary"] for study in content(tmp_path)["studies"]] == [kept["summary"], None]
    squares.fail_at = 14
    (tmp_path / "squares.json").unlink()
    with pytest.raises(UsageError, match="PyTorch"):
        call(squares, tmp_path)
    assert [run["settings"]["number"] for run in content(tmp_path)["runs"]] == [0, 1, 2, 3]
    assert len(content(tmp_path)["studies"]) == 1


def test_stages_build_on_each_other(squares, tmp_path):
    study = call(squares, tmp_path)
    assert study["summary"] == {"square": (0 + 1 + 4 + 9) ** 2}
    assert squares.measured == [0, 1, 2, 3, 14]
    assert content(tmp_path)["studies"] == [study]
    assert [path.name for path in tmp_path.iterdir()] == ["squares.json"]


def test_file_says_what_made_it(squares, tmp_path):
    call(squares, tmp_path)
    written = content(tmp_path)
    assert (written["name"], written["source"]) == ("squares", "arithmetic")
    (origin,) = written["studies"][0]["made_by"]
    assert set(origin["versions"]) == {"python", "numpy", "scipy", "numba", "sketchlab"}
    assert origin["revision"]
    assert all(run["made_by"] == origin and run["seconds"] >= 0 for run in written["runs"])


def test_finished_runs_are_not_made_again(squares, tmp_path):
    call(squares, tmp_path)
    squares.measured.clear()
    call(squares, tmp_path)
    assert squares.measured == []
    call(squares, tmp_path, count=5)
    assert squares.measured == [4, 30]
    assert len(content(tmp_path)["studies"]) == 2


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_interrupted_call_goes_on(squares, tmp_path, failure):
    squares.fail_at, squares.failure = 2, failure
    with pytest.raises(failure):
        call(squares, tmp_path)
    unfinished = content(tmp_path)
    kept = [run["settings"]["number"] for run in unfinished["runs"]]
    assert kept[:2] == [0, 1] and unfinished["studies"][0]["summary"] is None
    assert "unfinished" in report.describe(squares.experiment, unfinished["studies"][0])
    squares.fail_at = None
    squares.measured.clear()
    assert call(squares, tmp_path)["summary"] == {"square": 196}
    assert not set(squares.measured) & set(kept)


def test_time_adds_up_over_calls(squares, tmp_path):
    first = call(squares, tmp_path)["seconds"]
    assert 0 < first < call(squares, tmp_path)["seconds"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda good: good[: len(good) // 2],
        lambda good: b"",
        lambda good: b"\xff\xfe\x00binary",
        lambda good: b"[]",
        lambda good: good.replace(b'"format": 1', b'"format": 0'),
        lambda good: good.replace(b'"settings"', b'"sittings"'),
        lambda good: good.replace(b'"name": "squares"', b'"name": "circles"'),
    ],
)
def test_damaged_file_is_set_aside_and_made_anew(squares, tmp_path, capsys, damage):
    call(squares, tmp_path)
    path = tmp_path / "squares.json"
    for number in (1, 2):
        damaged = damage(path.read_bytes())
        path.write_bytes(damaged)
        squares.measured.clear()
        assert call(squares, tmp_path)["summary"] == {"square": 196}
        assert len(squares.measured) == 5
        assert (tmp_path / f"squares.damaged-{number}.json").read_bytes() == damaged
        (line,) = capsys.readouterr().err.splitlines()
        assert "is damaged" in line and f"kept as squares.damaged-{number}.json" in line


def test_failed_write_leaves_the_old_file(squares, tmp_path, monkeypatch):
    call(squares, tmp_path)
    before = (tmp_path / "squares.json").read_bytes()

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(results.os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        call(squares, tmp_path, count=6)
    assert (tmp_path / "squares.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["squares.json"]


def test_unwritable_folder_is_refused(squares, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write results to"):
        Record(tmp_path / "file" / "results", squares.experiment)


def test_report_layouts(squares, tmp_path):
    study = call(squares, tmp_path)
    assert "square\n------\n196   \n" in report.describe(squares.experiment, study)
    text = report.describe(squares.experiment, study, report.markdown)
    assert "| square |\n|--------|\n| 196    |\n" in text
    assert r"a \*note\*" in text
