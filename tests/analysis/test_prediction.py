"""The map of stores: it knows what it was given, and it predicts streams that it was not."""

import json

import numpy as np
import pytest

from analysis.experiments import first_moment_map, store_map
from analysis.lab.errors import UsageError
from analysis.lab.study import Options
from analysis.theory.prediction import StoreMap

SMALL = {
    "load": [2, 6, 20, 60],
    "keep": [0.9, 0.97],
    "touched": [0.1, 0.3, 1.0],
    "exponent": [0.0, 1.5],
    "held_out": 30,
    "width": 16,
    "streams": 2,
    "mode": "quick",
    "seed": 0,
}


def mapped(measure, configuration=SMALL):
    (cells,) = store_map.EXPERIMENT.stages(configuration, None)
    results = {json.dumps(cell): measure(cell) for cell in cells}
    return store_map.EXPERIMENT.summarise(configuration, lambda cell: results[json.dumps(cell)])


@pytest.fixture(scope="module")
def summary():
    return mapped(store_map.measure)


@pytest.fixture(scope="module")
def first_moments():
    return mapped(first_moment_map.measure, SMALL | {"dim": 8})


def stream(point):
    return {axis: point[axis] for axis in store_map.AXES}


def test_map_reproduces_what_it_was_fitted_to(summary):
    fitted = StoreMap(summary["grid"])
    for point in summary["grid"]:
        assert fitted.errors(**stream(point)) == pytest.approx(point["errors"], abs=1e-6)


def test_a_place_is_the_mean_of_its_streams(summary):
    """Whose hashes differ, so that a mean of them has a deviation; a lead's is of pairs."""
    (cells,) = store_map.EXPERIMENT.stages(SMALL, None)
    first = summary["grid"][0]
    runs = [store_map.measure(cell) for cell in cells if stream(cell) == stream(first)]
    assert len(runs) == SMALL["streams"]
    for name, error in first["errors"].items():
        assert error == pytest.approx(np.mean([run[name] for run in runs]))
    best, second = sorted(first["errors"], key=first["errors"].get)[:2]
    leads = [run[second] - run[best] for run in runs]
    assert first["deviation"]["lead"] == pytest.approx(abs(leads[0] - leads[1]) / 2)
    assert first["deviation"]["error"] > 0


def test_map_predicts_streams_that_it_was_not_fitted_to(summary):
    """Its choice loses less than always taking any one store, and is mostly as good as any."""
    fitted = {json.dumps(stream(point)) for point in summary["grid"]}
    assert not fitted & {json.dumps(stream(point)) for point in summary["held_out"]}
    assert summary["loss"] < min(summary["loss_of_always"].values())
    assert summary["hits"] >= 0.9


def test_map_of_first_moments_predicts_too(first_moments):
    """Nearer the errors of new streams than the mean of those it knows; its choice is good."""
    fitted, new = StoreMap(first_moments["grid"]), first_moments["held_out"]
    assert set(fitted.stores) == {"lazy", "bucket", "global", "shrunken"}
    assert first_moments["hits"] >= 0.8 and first_moments["loss"] < 0.2
    for store in ("bucket", "global"):
        usual = np.mean([point["errors"][store] for point in first_moments["grid"]])
        off = [fitted.errors(**stream(point))[store] - point["errors"][store] for point in new]
        off_usual = [usual - point["errors"][store] for point in new]
        # medians: next to the stability threshold a store may be far off what is predicted
        assert np.median(np.abs(off)) < np.median(np.abs(off_usual)) / 2


def test_first_moments_drown_with_the_load(first_moments):
    """Few rows a bucket: below one octave, an answer of 0; many: `global` answers noise."""
    fitted = StoreMap(first_moments["grid"])
    assert fitted.errors(2, 0.97, 1.0, 0.0)["lazy"] < 0.7
    crowded = fitted.errors(60, 0.97, 1.0, 0.0)
    assert crowded["global"] > 1.5 and crowded["shrunken"] < crowded["global"]
    assert fitted.errors(60, 0.9, 1.0, 0.0)["lazy"] == pytest.approx(store_map.WORST)
    shown = first_moment_map.present(SMALL, first_moments)
    assert "no store is better than answering 0" in shown.notes[-1]


def test_unstable_load_is_told_apart(summary):
    """All of 60 rows a bucket at c = 0.9: above the threshold of 20, `lazy` diverges."""
    errors = StoreMap(summary["grid"]).errors(load=60, keep=0.9, touched=1.0, exponent=0.0)
    assert errors["lazy"] == pytest.approx(store_map.WORST)
    assert errors["conservative"] < errors["global"] < store_map.WORST


def test_table_has_a_row_for_every_load_and_touch_rate(summary):
    table = store_map.present(SMALL, summary)
    assert len(table.rows) == len(SMALL["load"]) * len(SMALL["touched"])
    assert {len(row) for row in table.rows} == {len(table.columns)}


def test_configurations_are_plain_and_differ_by_mode():
    quick, _ = store_map.EXPERIMENT.configure(Options(quick=True))
    full, _ = store_map.EXPERIMENT.configure(Options())
    assert quick != full and json.loads(json.dumps(quick)) == quick
    assert store_map.EXPERIMENT.workload(quick)[1] == len(
        next(iter(store_map.EXPERIMENT.stages(quick, None)))
    )


def test_map_of_a_result_file(summary, tmp_path):
    path = tmp_path / "store-map.json"
    with pytest.raises(UsageError, match="no finished map in"):
        StoreMap.read(path)
    path.write_text(json.dumps({"studies": [{"summary": summary}]}))
    assert StoreMap.read(path).best(8, 0.97, 1.0, 0.0) in store_map.STORES
