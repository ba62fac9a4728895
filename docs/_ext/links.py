"""Links between files of the repository, as links between pages of the site.

A page reads the same on the site and in the repository: texts link to files, and those files that
are pages here, or are included in one, become links to the page. In docstrings the name of a class
in single backquotes links to it, whatever module it is in.
"""

import os
import re
from pathlib import Path

from sphinx.domains.python import PyXRefRole

#: Files outside docs/, and the pages that include them.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
}
_LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")


def setup(app):
    """Change links when a page, or a file that it includes, has been read; add the role `name`."""
    app.add_role("name", _Name())
    app.connect("source-read", _in_page)
    app.connect("include-read", _in_included_file)
    return {"parallel_read_safe": True}


def _in_page(app, page, content):
    folder = Path(app.env.doc2path(page)).parent
    content[0] = _changed(content[0], folder, folder, app)


def _in_included_file(app, path, page, content):
    folder = Path(app.env.doc2path(page)).parent
    content[0] = _changed(content[0], (app.srcdir / path).resolve().parent, folder, app)


def _changed(text, written_in, shown_in, app):
    pages = {app.srcdir.parent / name: app.srcdir / page for name, page in PAGES.items()}

    def on_site(link):
        target = (written_in / link[0]).resolve()
        if not target.exists():
            return link[0]  # Sphinx says that it is missing
        return os.path.relpath(pages.get(target, target), shown_in)

    return _LINK.sub(on_site, text)


class _Name(PyXRefRole):
    """A name in any module, where it begins with a capital; arguments stay code without a link."""

    def __init__(self):
        super().__init__()
        self.reftype = "obj"

    def __call__(self, name, *rest, **options):
        return super().__call__("py:obj", *rest, **options)

    def process_link(self, env, node, has_explicit_title, title, target):
        somewhere = "." if target[:1].isupper() else ""
        return super().process_link(env, node, has_explicit_title, title, somewhere + target)
