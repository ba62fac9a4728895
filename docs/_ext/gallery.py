"""The page of all figures, drawn from results/ when the site is built."""

from pathlib import Path

from figures import FIGURES
from figures.common.reading import missing
from figures.common.writing import write

_HEAD = """# Figures

All figures of the laboratory, drawn from what `results/` held when this page was built.
`make figures` draws the same into `build/figures`, as PNG and PDF. Each caption ends with the
commands that made its data and the revision of the code that ran.
"""


def setup(app):
    """Draw before the pages are read."""
    app.connect("builder-inited", lambda app: _make(Path(app.srcdir)))
    return {"parallel_read_safe": True}


def _make(source):
    results, folder = source.parent / "results", source / "generated"
    drawable = [figure for figure in FIGURES.values() if not missing(results, figure.needs)]
    parts = [_HEAD, *(_section(figure, results, folder) for figure in drawable)]
    folder.mkdir(exist_ok=True)
    if absent := [figure for figure in FIGURES.values() if figure not in drawable]:
        parts.append(_without_results(results, absent))
    (folder / "gallery.md").write_text("\n".join(parts), encoding="utf-8")


def _section(figure, results, folder):
    image, caption = write(figure, results, folder / "figures", ("png",))
    text = caption.read_text(encoding="utf-8")
    caption.unlink()  # it is a part of the page, and no page of its own
    return f"## {figure.title}\n\n![{figure.title}](figures/{image.name})\n\n{text}"


def _without_results(results, absent):
    names = missing(results, [name for figure in absent for name in figure.needs])
    titles = "\n".join(f"- {figure.title} (`{figure.name}`)" for figure in absent)
    return (
        f"## Figures without stored results\n\n{titles}\n\n`make figures` runs what they need in "
        f"its quick form; `.venv/bin/python -m analysis run {' '.join(names)}` in full.\n"
    )
