"""The experiments on cells of two bytes: what they compare, and what they say of a broken store."""

import numpy as np
import pytest

from analysis.experiments import two_byte_cells, two_byte_errors
from sketchlab.stores import two_bytes

SETTINGS = {"seed": 0, "dim": 4, "steps": 6, "draws": 2, "table": "softmax", "compression": 20}


def mean_errors():
    """The mean over draws, by form and kind of cells."""
    errors = two_byte_errors.measure(SETTINGS, None)
    return {
        form: [np.mean(errors[f"{form}, {cells}"]) for cells in two_byte_errors.CELLS]
        for form in two_byte_errors.FORMS
    }


def test_more_buckets_err_less_and_rounding_hardly():
    for four, as_many, twice in mean_errors().values():
        assert as_many == pytest.approx(four, abs=0.02)
        assert twice < four - 0.3


def test_a_store_that_rounds_wrongly_is_seen(monkeypatch):
    """Rounded always down, second moments shrink; the columns of four bytes stay."""
    right = mean_errors()
    half = two_bytes.Rounding.round
    monkeypatch.setattr(
        two_bytes.Rounding, "round", lambda self, x, rows, cells: half(self, x / 4, rows, cells)
    )
    for form, (four, as_many, _) in mean_errors().items():
        assert four == right[form][0]
        assert abs(as_many - four) > 0.1


def test_variants_stand_beside_themselves_in_as_many_bytes():
    variants = two_byte_cells.variants("full")["language"]
    for four, two in zip(variants[::2], variants[1::2], strict=True):
        assert two.form == f"{four.form}, 2 bytes"
        for name in ("m", "v"):
            before, after = getattr(four, name), getattr(two, name)
            if before is None:
                assert after is None
                continue
            sizes = [store.allocate(3_000, 8).cells.nbytes for store in (before, after)]
            times = 2 if type(before).__name__ == "Dense" else 1
            assert sizes[0] == times * sizes[1]


def test_changes_are_of_neighbours():
    rows = [
        {"variant": name, "mean": mean}
        for name, mean in (
            ("a", 2.0),
            ("a2", 1.5),
            ("b", 4.0),
            ("b2", 5.0),
            ("c", 1.0),
            ("c2", None),
        )
    ]
    found = two_byte_cells._changes({"part": rows})["changes"]
    assert [change["change"] for change in found] == [-0.25, 0.25, None]
    assert [change["variant"] for change in found] == ["a", "b", "c"]
