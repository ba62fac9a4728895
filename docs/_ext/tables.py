"""What the laboratory can run, and the tables of what it recorded, as pages of the site."""

import re
import subprocess
import sys
from pathlib import Path

from analysis.catalogue import CATALOGUE

_MODES = ("quick", "full")
_HEAD = """# Tables as recorded

Everything that `results/` held when this page was built, as `python -m analysis report` prints it.
[Results](../results.md) says what it means.

"""


def setup(app):
    """Write the pages before Sphinx looks for them."""
    app.connect("builder-inited", lambda app: _make(Path(app.srcdir)))
    return {"parallel_read_safe": True}


def _make(source):
    folder = source / "generated"
    folder.mkdir(exist_ok=True)
    (folder / "tables.md").write_text(_HEAD + _recorded(source.parent), encoding="utf-8")
    for name, entries in (("claims", _claims()), ("experiments", _experiments())):
        (folder / f"{name}.md").write_text("\n".join(entries) + "\n", encoding="utf-8")


def _recorded(root):
    """The report of all results, its headings one level below that of the page."""
    command = [sys.executable, "-m", "analysis", "report", "--markdown"]
    report = subprocess.run(command, cwd=root, check=True, capture_output=True, encoding="utf-8")
    return re.sub(r"^### ", "## ", report.stdout, flags=re.MULTILINE)


def _claims():
    yield "| name | claim | source | expected | quick | full |"
    yield "|---|---|---|---|---|---|"
    for name, claim in CATALOGUE.items():
        if claim.expected is not None:
            yield _row(f"`{name}`", claim.title, claim.source, claim.expected, *_times(claim))


def _experiments():
    yield "| name | what it measures | counterpart | quick | full |"
    yield "|---|---|---|---|---|"
    for name, experiment in CATALOGUE.items():
        if experiment.expected is None:
            yield _row(f"`{name}`", experiment.title, experiment.source, *_times(experiment))


def _times(entry):
    """Typical times, unbroken in a narrow column."""
    return [entry.duration.get(mode, "").replace(" ", "\N{NO-BREAK SPACE}") for mode in _MODES]


def _row(*cells):
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
