"""A row looks as its stores' recorded descriptions say, whatever the row is called."""

from pathlib import Path

import pytest

from figures.common import style
from figures.common.reading import finished
from figures.common.stores import exact, form_of, look_of

RESULTS = Path(__file__).resolve().parents[2] / "results"
COMPARED = (
    "cleaning", "dense-layers", "extreme-classification", "head-tail", "language-model", "pareto",
)  # fmt: skip


def rows_of(study):
    parts = study.summary.get("parts") or {"": study.summary["rows"]}
    return [row for rows in parts.values() for row in rows]


def the_row(study, variant):
    return next(row for row in rows_of(study) if row["variant"] == variant)


def test_forms_have_markers_of_their_own():
    markers = [look.marker for look in style.FORMS.values()]
    assert len(set(markers)) == len(markers)


@pytest.mark.parametrize("name", COMPARED)
def test_every_stored_row_has_a_look(name):
    study = finished(RESULTS, name)
    for row in rows_of(study):
        assert look_of(study, row) and form_of(study, row) in style.FORMS
        if row["state"] == "exact":
            assert exact(study, row)


@pytest.mark.parametrize(
    ("variant", "colour_of", "marker_of"),
    [
        ("Adam 8-bit M, rank-1 V (lazy, clip)", "rank-1", "8 bit"),
        ("Adam head-tail M, rank-1 V (5x, w, clip)", "rank-1", "head-tail"),
        ("Adam CS-MV conservative (5x, w, clip)", "conservative", "global"),
        ("RMSprop head-tail (5x)", "head-tail", "head-tail"),
        ("Adam exact (w)", "exact", "exact"),
    ],
)
def test_colour_is_of_v_and_marker_of_m(variant, colour_of, marker_of):
    study = finished(RESULTS, "head-tail")
    row = the_row(study, variant)
    look = look_of(study, row)
    assert look.color == style.FORMS[colour_of].color
    assert look.marker == style.FORMS[marker_of].marker
    renamed = row | {"state": "bucket mean", "form": "global"}
    assert look_of(study, renamed) == look
