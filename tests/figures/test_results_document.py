"""docs/results.md names commands and figures that exist, and the numbers that were recorded."""

import re
from pathlib import Path

import pytest

from analysis.catalogue import CATALOGUE, GROUPS
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
