"""What a user can get wrong; the command line prints these as one line and exits with 2."""

from sketchlab.errors import SketchlabError


class UsageError(SketchlabError, ValueError):
    """An argument, a text or a folder that was given to the laboratory cannot be used."""
