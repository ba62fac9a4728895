"""Examples for PyTorch in README and documentation print what is shown."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"```(python|text)\n(.*?)```", re.DOTALL)


def examples(page):
    """Code and what it prints, for each example of a page that imports PyTorch."""
    blocks = _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    pairs = zip(blocks, [*blocks[1:], ("", "")])
    for (kind, code), (next_kind, shown) in pairs:
        if kind == "python" and "import torch" in code and next_kind == "text":
            yield code, shown


@pytest.mark.parametrize("page", ["README.md", "docs/pytorch.md"])
def test_examples_print_what_is_shown(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = list(examples(page))
    assert found
    for code, shown in found:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, {})
        assert printed.getvalue() == shown
