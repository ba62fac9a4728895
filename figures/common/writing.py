"""Files of a figure: the image in each format, and its caption with where the data came from."""

import io
import os
from pathlib import Path

from PIL import Image

from analysis.lab.errors import UsageError
from figures.common.reading import studies
from figures.common.style import DPI, house


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
    _replace(path, lambda beside: _SAVE[kind](page, beside))
    return path


def _save_pdf(page, path):
    # without dates, the same results give the same file
    page.savefig(path, format="pdf", metadata={"CreationDate": None, "Producer": None})


def _save_png(page, path):
    """With a palette, at a third of the size: the images are kept with the texts."""
    pixels = io.BytesIO()
    page.savefig(pixels, format="png")
    image = Image.open(pixels).convert("RGB").quantize(method=Image.Quantize.FASTOCTREE)
    image.save(path, format="png", optimize=True, dpi=(DPI, DPI))


_SAVE = {"png": _save_png, "pdf": _save_pdf}


def _replace(path, write_to):
    """Write beside the old file and let the new one take its place as a whole."""
    beside = path.with_name(f"{path.name}.tmp")
    try:
        write_to(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
