"""Advice from shapes: bytes to the byte, within the budget, and lines of Python that run."""

import json
import math
import types

import numpy as np
import pytest

import sketchlab as sl
from analysis.__main__ import main
from analysis.advice import Table, advise, code
from analysis.advice.candidates import STORES, WAYS
from analysis.advice.evidence import Evidence
from analysis.advice.sizes import budget_of, bytes_of, fitting, nbytes, smallest
from analysis.lab.errors import UsageError
from analysis.theory.prediction import StoreMap

EVERY_WAY = [way for ways in WAYS.values() for way in ways]


@pytest.mark.parametrize("shape", [(1000, 8), (37, 300), (50_000, 1)])
@pytest.mark.parametrize("moment", STORES)
@pytest.mark.filterwarnings("ignore::sketchlab.StoreSizeWarning")
def test_bytes_are_those_of_the_live_store(moment, shape):
    for store in STORES[moment].values():
        for compression in (1, 3.3, 50):
            described = store.describe(compression)
            assert nbytes(described, *shape) == described.allocate(*shape).nbytes


def test_bytes_of_tables_that_no_memory_holds():
    rows = 3 * 10**9
    for moment, stores in STORES.items():
        for name, store in stores.items():
            assert nbytes(store.describe(1000), rows, 512) > 0, (moment, name)
    assert nbytes(sl.Dense(), rows, 512) == 4 * rows * 512


@pytest.mark.parametrize("way", EVERY_WAY, ids=lambda way: f"{way.family} {way.name}")
def test_the_smallest_compression_that_fits(way):
    n, dim, budget = 40_000, 16, 1_500_000
    compression = fitting(way, n, dim, budget)
    needs = [sum(bytes_of(way.describe(c), n, dim).values()) for c in (compression or 1, 1)]
    if compression is None:
        assert smallest(way, n, dim) > budget
        return
    assert needs[0] <= budget
    if way.sized:
        step = 0.1 if compression < 10 else 1
        larger = way.describe(max(1, compression - step))
        assert compression == 1 or sum(bytes_of(larger, n, dim).values()) > budget


@pytest.mark.parametrize(
    ("text", "number"),
    [("650MB", 650e6), ("1.5 GiB", 1.5 * 2**30), ("12", 12), ("3kb", 3000), (4096, 4096)],
)
def test_budgets(text, number):
    assert budget_of(text) == number


@pytest.mark.parametrize("optimizer", WAYS)
def test_choices_fit_and_their_lines_make_them(optimizer):
    """Every choice, not only the best: what its line makes has the bytes that were told."""
    shape = 5000, 16
    whole = sum(bytes_of(WAYS[optimizer][0].describe(1), *shape).values())
    advice = advise(Table(*shape), optimizer, whole // 2)
    (one,) = advice.tables
    assert advice.total <= whole // 2 and len(one.choices) > 3
    for choice in one.choices:
        line = code.numpy_line(optimizer, choice.stores, choice.way.options)
        made = eval(line, {"sl": sl, "table": np.zeros(shape, np.float32)})
        assert made.nbytes == choice.total <= whole // 2
        for moment, store in choice.stores.items():
            assert getattr(made, moment).description == store
    made = eval(advice.numpy[0], {"sl": sl, "table": np.zeros(shape, np.float32)})
    made.step(np.ones((2, 16)), rows=[3, 8])
    assert made.step_count == 1 and made.nbytes == advice.total
    assert advice.numpy == [code.numpy_line(optimizer, one.best.stores, one.best.way.options)]


def test_lines_for_pytorch_make_what_was_told():
    torch = pytest.importorskip("torch")
    slt = pytest.importorskip("sketchlab.torch")
    model = torch.nn.Sequential(torch.nn.Embedding(3000, 16, sparse=True), torch.nn.Linear(16, 5))
    names = {"sl": sl, "slt": slt, "model": model, "torch": torch}
    for optimizer in WAYS:
        exact = sum(parameter.numel() for parameter in model.parameters()) * 4
        exact *= len(WAYS[optimizer][0].names)
        advice = advise(model, optimizer, exact // 2)
        table, weight, bias = advice.tables
        assert table.table[:2] == (3000, 16) and table.table.name == "model[0].weight"
        assert not table.kept_exactly and weight.kept_exactly and bias.kept_exactly
        made = eval(advice.torch, names)
        model(torch.tensor([1, 2])).sum().backward()
        made.step()
        assert made.state_bytes().kept == advice.total <= exact // 2
        alone = advise(Table(3000, 16, name="model[0].weight"), optimizer, exact // 3)
        made = eval(alone.torch, names)
        made.step()
        assert made.state_bytes().kept == alone.total


def test_exact_state_is_kept_where_it_fits():
    advice = advise(Table(1000, 4), "adam", 2 * 4 * 4000)
    assert advice.tables[0].kept_exactly
    assert advice.total == 32_000
    assert not advise(Table(1000, 4), "adam", 2 * 4 * 4000 - 1).tables[0].kept_exactly


def test_a_number_a_row_is_no_use_to_a_table_of_one_column():
    choices = advise(Table(10_000, 1), "rmsprop", 40_000).tables[0].choices
    assert not {"row-wise", "rank-1", "8 bit"} & {choice.way.name for choice in choices}


def test_errors_are_the_maps_and_marked_outside_of_it():
    known = StoreMap.read("results/first-moment-map.json")
    found = advise(Table(6000, 4, touched=600, exponent=0.5), "momentum", "20kB").tables[0]
    choice = next(one for one in found.choices if one.way.name == "count-sketch lazy")
    load = 6000 / choice.stores["m"].width_for(6000)
    predicted = choice.errors["m"]
    assert predicted.error == pytest.approx(known.errors(load, 0.9, 0.1, 0.5)["lazy"])
    assert predicted.inside and predicted.doubt == known.doubt["lazy"] > 0
    found = advise(Table(6000, 4, touched=6), "momentum", "20kB").tables[0]
    choice = next(one for one in found.choices if one.way.name == "count-sketch lazy")
    assert not choice.errors["m"].inside
    assert all(one.errors["m"] is None for one in found.choices if "head-tail" in one.way.name)


def test_bytes_a_step_are_those_of_the_model():
    choices = advise(Table(3000, 8, touched=100), "rmsprop", "20kB").tables[0].choices
    by_name = {choice.way.name: choice for choice in choices}
    assert by_name["count-min lazy"].traffic == pytest.approx(13 / 5)  # see test_traffic


# -- recorded trainings ------------------------------------------------------------------------


def study(rows):
    return {"configuration": {"mode": "full"}, "summary": {"rows": rows}}


def row(name, ratio, score):
    lost = 0 if score else 3
    return {
        "variant": name,
        "exact_to_state": ratio,
        "score_to_exact": score,
        "diverged": lost,
    }


def run(name, **store):
    fields = sl.CountMinSketch(**store).to_dict()
    settings = {"variant": name, "family": "RMSprop", "stores": {"v": fields}, "options": {}}
    return {"settings": settings}


@pytest.fixture
def recorded(tmp_path):
    """Lazy sketches on two tasks; a conservative one that diverged."""
    runs = [
        run("a", compression=4),
        run("b", compression=64),
        run("c", conservative=True, decay="global"),
    ]
    studies = {
        "language-model": [row("a", 4, 1.0), row("b", 64, 1.21), row("c", 5, None)],
        "extreme-classification": [row("a", 4, 1.1)],
    }
    for name, rows in studies.items():
        content = {"name": name, "runs": runs, "studies": [study(rows)]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return Evidence(tmp_path)


def cost(evidence, ratio, without=(), **store):
    return evidence.of("RMSprop", {"v": sl.CountMinSketch(**store)}, {}, ratio, without)


def test_scores_between_recorded_sizes(recorded):
    one = cost(recorded, 16, without=("mach",), compression=20, seed=7)
    assert one.mean == one.worst == pytest.approx(1.1)  # halfway from 4 to 64, of 1 and 1.21
    both = cost(recorded, 4)
    assert both.mean == pytest.approx(math.sqrt(1.1)) and both.worst == pytest.approx(1.1)
    assert both.tasks == ("mach", "language")
    assert cost(recorded, 4, without=("mach",)).mean == 1.0
    assert cost(recorded, 2).mean == both.mean  # not beyond: a larger one is no better
    assert cost(recorded, 64).tasks == ("language",)
    assert cost(recorded, 100) is None
    assert cost(recorded, 4, decay="bucket") is None
    assert cost(recorded, 4, conservative=True, decay="global").mean == math.inf


def test_the_stored_trainings_are_found():
    evidence = Evidence("results")
    tasks = {task for found in evidence.points.values() for task in found}
    assert {"language", "mach", "logistic", "wikitext-lstm", "lm1b-lstm"} <= tasks
    lazy = cost(evidence, 5)
    assert {"language", "mach", "logistic"} <= set(lazy.tasks) and 0.9 < lazy.mean < 1.1
    # of no size that could be chosen: known at any ratio
    rank_1 = evidence.of("RMSprop", {"v": sl.Rank1(decay="global")}, {}, 10_000)
    assert "language" in rank_1.tasks


def test_a_damaged_result_is_named(tmp_path):
    (tmp_path / "pareto.json").write_text("{")
    with pytest.raises(UsageError, match=r"pareto\.json"):
        Evidence(tmp_path)


# -- several tables, and the command -----------------------------------------------------------

TOML = """
optimizer = "rmsprop"
budget = "300 kB"
[[table]]
name = "embedding"
rows = 5000
dim = 32
touched = 70
[[table]]
name = "bias"
rows = 100
dim = 1
"""


@pytest.fixture
def toml(tmp_path):
    pytest.importorskip("tomllib")

    def written(text):
        path = tmp_path / "tables.toml"
        path.write_text(text)
        return str(path)

    return written


def test_tables_of_a_file(toml, capsys, tmp_path):
    assert main(["advise", toml(TOML), "--json", str(tmp_path / "advice.json")]) == 0
    printed = capsys.readouterr().out
    assert "RMSprop on embedding, 5,000 x 32" in printed and "Kept exactly: bias." in printed
    content = json.loads((tmp_path / "advice.json").read_text())
    assert content["total"] <= content["budget"] == 300_000
    assert [one["table"]["name"] for one in content["tables"]] == ["embedding", "bias"]
    for line in content["numpy"]:
        assert line in printed


def test_the_command_prints_what_the_function_says(capsys):
    arguments = ["--rows", "793471", "--dim", "256", "--budget", "650MB", "--touched", "4096"]
    assert main(["advise", *arguments]) == 0
    printed = capsys.readouterr().out
    advice = advise(Table(793_471, 256, 4096), "adam", "650MB")
    assert advice.numpy[0] in printed and advice.torch in printed
    assert all(one.way.name in printed for one in advice.tables[0].choices)


SHAPE = ["--rows", "1000", "--dim", "8"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([*SHAPE, "--budget", "5"], "budget 5 bytes: Adam needs at least"),
        ([*SHAPE], "--budget SIZE is missing"),
        ([*SHAPE, "--budget", "650 bananas"], "budget '650 bananas': give a number and a unit"),
        ([*SHAPE, "--budget", "-3MB"], "budget"),
        (["--rows", "5", "--budget", "1MB"], "--dim is missing"),
        (["--rows", "0", "--dim", "8", "--budget", "1MB"], "rows=0: must be at least 1"),
        ([*SHAPE, "--budget", "1kB", "--optimizer", "sgd"], "optimizer 'sgd': known are adam"),
        ([*SHAPE, "--budget", "9kB", "--touched", "2000"], "touched=2000.0: must be more than 0"),
        ([*SHAPE, "--budget", "9kB", "--exponent", "nan"], "exponent=nan"),
        ([*SHAPE, "--budget", "9kB", "--results", "no/such"], "no finished map in no/such"),
        (["no/such.toml", "--budget", "1MB"], "cannot read no/such.toml"),
        (["no/such.toml", "--rows", "5"], "--rows beside no/such.toml"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, arguments, complaint):
    assert main(["advise", *arguments]) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ") and complaint in line and printed.out == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[table]\n", "is not TOML"),
        ("optimizer = 'adam'", "has no [[table]]"),
        ("[[table]]\nrows = 5", "dim is missing"),
        ("[[table]]\nrows = 5\ndim = 'x'", "dim='x' is not a number"),
        ("[[table]]\nrows = 5\ndim = 2\ncolumns = 3", "unknown columns"),
        ("lr = 3\n[[table]]\nrows = 5\ndim = 2", "unknown lr"),
    ],
)
def test_bad_files_of_tables(toml, capsys, text, complaint):
    assert main(["advise", toml(text), "--budget", "1kB"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and complaint in line


def test_old_python_is_told_so(toml, capsys, monkeypatch):
    path = toml(TOML)
    monkeypatch.setitem(__import__("sys").modules, "tomllib", None)
    assert main(["advise", path]) == 2
    assert "Python 3.11 or newer" in capsys.readouterr().err


def test_what_has_parameters_is_walked():
    """Any object with named parameters: frozen ones and scalars are no tables to sketch."""

    def parameter(*shape, trained=True):
        return types.SimpleNamespace(
            shape=shape, ndim=len(shape), numel=lambda: math.prod(shape), requires_grad=trained
        )

    parameters = {
        "embed.weight": parameter(9000, 8),
        "layers.0.weight": parameter(64, 3, 7, 7),
        "frozen": parameter(9000, 8, trained=False),
        "scale": parameter(),
    }
    model = types.SimpleNamespace(named_parameters=lambda: parameters.items())
    found = [one.table for one in advise(model, "adam", "500kB").tables]
    assert [table[:2] for table in found] == [(9000, 8), (64, 147), (1, 1)]
    assert [table.name for table in found] == [
        "model.embed.weight",
        "model.layers[0].weight",
        "model.scale",
    ]
