"""The pages of the documentation: examples print what is shown, links lead to files that exist."""

import doctest
import re
from pathlib import Path

import pytest

import sketchlab as sl

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
_BLOCK = re.compile(r"^ *```[a-z]*\n((?: *>>>).*?)^ *```$", re.DOTALL | re.MULTILINE)


def examples(page):
    """All interactive examples of a page, in one session."""
    return "\n".join(block[1] for block in _BLOCK.finditer(page.read_text(encoding="utf-8")))


def failures(text, name):
    test = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    return doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed


def missing_links(text, folder):
    """The targets of a text's relative links that do not exist."""
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    return [link for link in links if not (folder / link).exists()]


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=lambda p: p.name)
def test_examples_print_what_is_shown(page):
    assert not failures(examples(page), page.name)


def test_a_wrong_example_is_seen():
    assert failures(">>> 1 + 1\n3\n", "wrong")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    # pages that are made when the site is built
    found = [link for link in missing_links(text, page.parent) if "generated/" not in link]
    assert not found


def test_a_broken_link_is_seen():
    assert missing_links("[a](README.md) [b](no-such.md#x)", ROOT) == ["no-such.md"]


def test_every_public_name_is_in_the_reference():
    listed = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8").split()
    assert set(sl.__all__) <= set(listed)
