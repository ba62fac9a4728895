"""Translates PTX to C; the stub driver runs it as a command, from a copy (see `environment`)."""

from .translate import main, translate

__all__ = ["main", "translate"]
