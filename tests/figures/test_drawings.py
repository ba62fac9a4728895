"""Every figure: drawn from small results, within its page, labelled with units, captioned."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from small_results import make

from figures import FIGURES
from figures.common import style
from figures.common.reading import studies
from figures.common.writing import text, write

#: Words that ask for a unit, and the units that answer.
MEASURES = re.compile(r"\b(time|memory|state|bytes)\b")
UNITS = re.compile(r"\b(MB|GB|kB|bytes|ms|s|minutes|hours)\b")


@pytest.fixture(scope="session")
def results(tmp_path_factory, corpus_file):
    """`results(names)` returns a folder with a study of each; every study is made once."""
    folder = tmp_path_factory.mktemp("results")

    def made(names):
        for name in names:
            if not (folder / f"{name}.json").exists():
                make(name, folder, corpus_file)
        return folder

    return made


# of the module, so that one figure's tests follow each other, in one process as a rule
@pytest.fixture(params=FIGURES.values(), ids=FIGURES, scope="module")
def figure(request):
    return request.param


@pytest.fixture
def page(figure, results):
    with style.house():
        page = figure.draw(*studies(results(figure.needs), figure.needs))
        page.draw_without_rendering()
        yield page


def test_files_are_written(figure, results, tmp_path):
    png, pdf, caption = write(figure, results(figure.needs), tmp_path / "new", ("png", "pdf"))
    pixels = imread(png)[..., :3]
    assert pixels.shape[1] == round(style.WIDTH * style.DPI) and pixels.shape[0] <= 9 * style.DPI
    assert np.ptp(pixels) > 0.5 and png.stat().st_size < 150_000
    assert pdf.read_bytes().startswith(b"%PDF")
    assert {path.name for path in png.parent.iterdir()} == {png.name, pdf.name, caption.name}


def test_caption_names_command_seed_and_revision(figure, results):
    drawn = studies(results(figure.needs), figure.needs)
    caption = text(figure, drawn)
    for study in drawn:
        assert f"`python -m analysis run {study.name}" in caption
        assert all(made["revision"] in caption for made in study.made_by)
    assert len(figure.caption(*drawn)) > 100 and "  " not in caption


def test_axes_are_labelled(page):
    labels = [axes.get_xlabel() for axes in page.axes] + [page.get_supxlabel()]
    assert any(labels), "no label on any horizontal axis"
    for label in [*labels, *(axes.get_ylabel() for axes in page.axes), page.get_supylabel()]:
        assert not MEASURES.search(label) or UNITS.search(label), f"{label!r} has no unit"
    for axes in page.axes:
        named = axes.get_ylabel() or page.get_supylabel() or _is_named_at_its_left(axes, page)
        assert named or axes.get_yticklabels()[0].get_text().strip("0123456789.,−"), "no y label"


def _is_named_at_its_left(axes, page):
    """Whether other axes of the same row, which show the same quantity, have a label."""
    spec = axes.get_subplotspec()
    return any(
        other.get_ylabel() and other.get_subplotspec().rowspan == spec.rowspan
        for other in page.axes
        if other.get_subplotspec().get_gridspec() is spec.get_gridspec()
    )


def test_nothing_leaves_the_page(page):
    width, height = page.get_size_inches()
    box = page.get_tightbbox()
    assert min(box.x0, box.y0) > -0.01, "text is cut off at the left or below"
    assert box.x1 < width + 0.01 and box.y1 < height + 0.01, "text is cut off right or above"


def test_the_palette_of_an_image_keeps_the_colours(results, tmp_path):
    figure = FIGURES["one-sidedness"]
    png, _ = write(figure, results(figure.needs), tmp_path, ("png",))
    pixels = np.round(255 * imread(png)[..., :3]).reshape(-1, 3)
    for form in ("lazy", "bucket", "global", "conservative"):
        wanted = 255 * np.array(to_rgb(style.FORMS[form].color))
        assert np.abs(pixels - wanted).max(axis=1).min() <= 2, form


def test_same_results_give_the_same_files(results, tmp_path):
    figure = FIGURES["decay-stability"]
    once = write(figure, results(figure.needs), tmp_path / "once", ("png", "pdf"))
    again = write(figure, results(figure.needs), tmp_path / "again", ("png", "pdf"))
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


def test_a_seed_that_diverged_is_said(results, tmp_path):
    """The language model's figures draw what is left, and the caption names what is not there."""
    figure = FIGURES["perplexity-against-bytes"]
    (study,) = studies(results(figure.needs), figure.needs)
    lost = study.summary["rows"][-1] | {
        "mean": None,
        "std": None,
        "scores": [None] * 3,
        "diverged": 3,
    }
    study = study._replace(summary={"rows": [*study.summary["rows"][:-1], lost]})
    assert f"every seed diverged: {lost['variant']}" in figure.caption(study)
    for name in ("perplexity-against-bytes", "perplexity-by-variant"):
        with style.house():
            FIGURES[name].draw(study)
