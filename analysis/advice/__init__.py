"""Which store for which table: from shapes and a budget, or from a recorded stream of gradients."""

from analysis.advice.advise import advise
from analysis.advice.tables import Table

__all__ = ["Table", "advise"]
