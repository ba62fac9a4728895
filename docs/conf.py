"""The documentation site: `make docs` builds it into build/docs, without network access."""

import sys
from pathlib import Path

import sketchlab

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]

import without_torch  # noqa: E402

without_torch.pretend()

project = "sketchlab"
author = "The sketchlab developers"
copyright = f"2026, {author}"
version = release = sketchlab.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "links",
    "gallery",
    "tables",
]
exclude_patterns = [
    "_ext",
    "_static",
    "_templates",
    "figures/*.md",
    "generated/claims.md",
    "generated/experiments.md",
]

nitpicky = True
# Docstrings put names of arguments into single backquotes as well: those have nothing to link to.
default_role = "name"
nitpick_ignore_regex = [("py:obj", ".*")]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autosummary_imported_members = True
autodoc_typehints = "none"  # numpydoc's sections give types and shapes
numpydoc_show_class_members = False  # the template of a class lists them

templates_path = ["_templates"]
html_theme = "furo"
html_title = f"sketchlab {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
