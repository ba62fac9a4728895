"""Numbers of a rule as properties of an optimizer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sketchlab.validation import checked_number

__all__ = ["checked_weight_decay", "hyper_parameter"]


def hyper_parameter(name: str, doc: str, check: Callable[[Any], Any]) -> Any:
    """A property over a number of the rule, which takes effect at the next step.

    Parameters
    ----------
    name : str
        Its field in the rule.
    doc : str
    check : callable
        ``check(value)`` returns the value in the form that the rule keeps, or raises.
    """

    def get(self):
        return getattr(self.rule, name)

    def put(self, value):
        self._rule = replace(self._rule, **{name: check(value)})

    return property(get, put, doc=doc)


def checked_weight_decay(value: float) -> float:
    """`value`, when it is finite and at least 0."""
    return checked_number("weight_decay", value, 0)
