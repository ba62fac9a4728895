"""What a drawing is: one `Figure` a file."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure, drawn from recorded results alone.

    Parameters
    ----------
    name : str
        On the command line, and of the files.
    title : str
        One line on what it shows.
    needs : tuple of str
        Names of the experiments and claims whose results it draws.
    draw : callable
        ``draw(*studies) -> matplotlib.figure.Figure``, with one `Study` for each of `needs`.
    caption : callable
        ``caption(*studies) -> str``: what is to be seen, in which units, beside which published
        numbers. Where the data came from is added to it.
    extra : str, optional
        Without which the experiments cannot run. Where their results are missing the figure is left
        out, unless it is asked for by its name.
    """

    name: str
    title: str
    needs: tuple
    draw: Callable
    caption: Callable
    extra: str | None = None
