"""The exceptions of sketchlab: one small family, so that a caller can catch all of it at once.

Every message names what was given, what is needed and what to do, and is raised before anything
was changed.
"""

__all__ = [
    "BackendError",
    "CheckpointError",
    "ConfigurationError",
    "InputError",
    "SketchlabError",
    "StoreSizeWarning",
    "TornStepError",
]


class SketchlabError(Exception):
    """Base class of every error that sketchlab raises on purpose."""


class ConfigurationError(SketchlabError, ValueError):
    """A description, an optimizer's argument, or a pairing of the two makes no sense."""


class InputError(SketchlabError, ValueError):
    """A table, gradient or row index handed to a call cannot be used."""


class CheckpointError(SketchlabError):
    """A saved state is damaged, foreign, or belongs to another configuration."""


class BackendError(SketchlabError, RuntimeError):
    """A backend is unknown or cannot run on this machine."""


class TornStepError(SketchlabError, RuntimeError):
    """A step was interrupted before it was whole; the optimizer waits for a state to be loaded."""


class StoreSizeWarning(UserWarning):
    """A compressed store holds at least as many numbers as the exact variable would."""
