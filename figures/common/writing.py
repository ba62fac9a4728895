"""Files of a figure: the image in each format, and its caption with where the data came from."""

import os
from pathlib import Path

from analysis.errors import UsageError
from figures.common.reading import studies
from figures.common.style import house

# Without dates, the same results give the same files.
_METADATA = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Producer": None}}


def write(figure, results, folder, formats):
    """Draw one figure and return the paths of its files, the caption last.

    Raises
    ------
    UsageError
        If results are missing, damaged, or not those that the figure knows; or if the folder
        cannot be written to.
    """
    drawn = studies(results, figure.needs)
    folder = Path(folder)
    try:
        with house():
            page = figure.draw(*drawn)
            folder.mkdir(parents=True, exist_ok=True)
            paths = [_image(page, folder / f"{figure.name}.{kind}", kind) for kind in formats]
        caption = folder / f"{figure.name}.md"
        _replace(caption, lambda path: path.write_text(text(figure, drawn), encoding="utf-8"))
    except (KeyError, IndexError, TypeError) as error:
        raise UsageError(
            f"{' or '.join(f'{name}.json' for name in figure.needs)} in {results} does not hold "
            f"what {figure.name} draws ({type(error).__name__}: {error}): run it again"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None
    return [*paths, caption]


def text(figure, drawn):
    """Return the caption as Markdown."""
    origins = "\n".join(f"- {study.origin}" for study in drawn)
    return f"**{figure.title}.** {figure.caption(*drawn)}\n\nData:\n\n{origins}\n"


def _image(page, path, kind):
    _replace(path, lambda beside: page.savefig(beside, format=kind, metadata=_METADATA[kind]))
    return path


def _replace(path, write_to):
    """Write beside the old file and let the new one take its place as a whole."""
    beside = path.with_name(f"{path.name}.tmp")
    try:
        write_to(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
