"""What a user can get wrong (one line, exit code 2), and runs that were lost (exit code 1)."""

from sketchlab.errors import SketchlabError


class LostRuns(SketchlabError):
    """Runs of an experiment have no result, since their worker processes died."""


class UsageError(SketchlabError, ValueError):
    """An argument, a text or a folder that was given to the laboratory cannot be used."""
