"""The cold-start experiment: what its processes count, and what is said of the two limits."""

import pytest

from analysis.experiments import cold_start
from analysis.lab.report import terminal
from analysis.lab.study import Options

TINY = {"n": 50, "dim": 2, "k": 5, "groups": 1, "cached": 1, "threads": 1}


def test_the_second_process_of_a_group_loads_what_the_first_compiled():
    configuration, inputs = cold_start.configure(Options(quick=True))
    (sgd,) = [cell for cell in configuration["cells"] if cell["optimizer"] == "SGD"]
    runs = cold_start.measure(sgd | TINY, inputs)
    (empty,), (cached,) = runs["empty"], runs["cached"]
    assert empty["loaded"] == cached["compiled"] == 0
    assert empty["compiled"] == cached["loaded"] > 0
    for run in (empty, cached):
        assert all(run[name] > 0 for name in run if name.endswith("_s"))


def _table(library, step, compiled=0):
    configuration, _ = cold_start.configure(Options())

    def run(compiled, step):
        return {
            "import_numba_s": 0.3,
            "import_sketchlab_s": library,
            "first_step_s": step,
            "compiled": compiled,
            "loaded": 5 - compiled,
        }

    def result_of(settings):
        slow = step if settings["optimizer"] == "Adam CS-MV" else 0.1
        return {"empty": [run(5, 9.0)] * 3, "cached": [run(compiled, slow)] * 3}

    summary = cold_start.summarise(configuration, result_of)
    return summary, terminal(cold_start.present(configuration, summary))


@pytest.mark.parametrize(
    ("library", "step", "said"),
    [
        (0.05, 0.3, ("0.050 s, at most 0.2 s asked for: kept", ": 0.300 s, at most 0.5 s asked")),
        (0.25, 0.3, ("0.250 s, at most 0.2 s asked for: not kept",)),
        (0.05, 0.6, ("Adam CS-MV: 0.600 s, at most 0.5 s asked for: not kept",)),
    ],
)
def test_limits_are_judged(library, step, said):
    _, text = _table(library, step)
    assert all(part in text for part in said)
    assert text.count(": not kept") == (library > 0.2) + (step > 0.5)
    assert text.count(": kept") == 5 - text.count(": not kept")


def test_a_cached_step_that_compiled_is_not_judged():
    _, text = _table(0.05, 0.3, compiled=1)
    assert text.count("says nothing, as kernels were compiled again") == 4


def test_the_rows_hold_medians_and_quartiles_of_all_processes():
    summary, _ = _table(0.05, 0.3)
    library = summary["rows"][1]
    assert library["s"] == 0.05 and library["processes"] == 4 * 3
    ever = [row for row in summary["rows"] if row["what"].startswith("first step ever")]
    assert [row["s"] for row in ever] == [9.0] * 4
    assert all(row["compiled"] == [5, 5] and row["loaded"] == [0, 0] for row in ever)
