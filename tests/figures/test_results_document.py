"""docs/results.md names commands and figures that exist, and the numbers that were recorded."""

import re
from pathlib import Path

import pytest

from analysis.catalogue import CATALOGUE, GROUPS
from analysis.theory.prediction import StoreMap
from analysis.theory.published import PERPLEXITY, TABLES
from figures import FIGURES
from figures.common.reading import finished

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


def test_commands_are_known():
    named = re.findall(r"python -m analysis (?:run|report) ([a-z][a-z0-9 -]*)", TEXT)
    assert named
    assert set(named) <= set(CATALOGUE) | set(GROUPS)


def test_figures_are_known():
    for listed in re.findall(r"[Ff]igures? ((?:`[a-z-]+`[,; \n]*(?:and )?)+)", TEXT):
        assert set(re.findall(r"`([a-z-]+)`", listed)) <= set(FIGURES)
    assert set(FIGURES) <= set(re.findall(r"`([a-z-]+)`", TEXT)), "a figure is not in the text"


@pytest.mark.parametrize("number", [n for n, t in TABLES.items() if PERPLEXITY in t.quantities])
def test_published_perplexities_are_as_published(number):
    for value in TABLES[number].of(PERPLEXITY).values():
        assert f"{value:.2f}" in TEXT, f"table {number}: {value:.2f}"


def test_perplexities_are_as_recorded():
    study = finished(ROOT / "results", "language-model")
    rows = study.summary["rows"]
    means = {(row["family"], row["state"], row["form"]): row["mean"] for row in rows}
    for family, state in (("Momentum", "CS"), ("Adam", "CS-MV"), ("RMSprop", "CMS")):
        exact, ours = means[family, "exact", "lazy"], means[family, state, "paper: lazy"]
        change = f"{100 * (ours / exact - 1):+.1f}".replace("-", "−")
        assert f"{exact:.1f} → {ours:.1f}, {change} %" in TEXT


@pytest.mark.parametrize("name", ["store-map", "first-moment-map"])
def test_maps_are_as_recorded(name):
    """What docs/theory.md says of a map: hits, loss, and what always the same store loses."""
    theory = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    summary = finished(ROOT / "results", name).summary
    losses = [f"{loss:.2f}" for loss in summary["loss_of_always"].values()]
    assert f"{100 * summary['hits']:.0f} %" in theory
    assert f"{summary['loss']:.2f} octaves worse" in theory
    assert re.search(r"\D*".join(map(re.escape, losses)), theory), losses


def test_pairs_are_as_recorded():
    rows = finished(ROOT / "results", "pairings").summary["rows"]
    sketched = [row for row in rows if not row["m"].startswith("exact")]
    diverged = {
        (clip, at): sum(r["runs"][at]["diverged"] > 0 for r in sketched if r["clip"] == clip)
        for clip in ("no clip", "clip")
        for at in (0, 1)
    }
    assert diverged == {("no clip", 0): 10, ("no clip", 1): 20, ("clip", 0): 0, ("clip", 1): 0}
    assert "20 pairs of 20" in TEXT and "still does in 10 of them" in TEXT


def test_the_example_of_the_map_reads_what_is_stored():
    grid = StoreMap.read(ROOT / "results" / "store-map.json")
    assert grid.best(load=20, keep=0.99, touched=0.2, exponent=1.0) == "bucket"
