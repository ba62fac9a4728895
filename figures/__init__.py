"""Drawings of what the laboratory recorded, one file a figure; nothing is computed here."""

from analysis.lab.found import found

FIGURES = found(__name__, __path__, "FIGURE")

#: Of a user's own data, drawn only when they are named.
ON_REQUEST = found(__name__, __path__, "ON_REQUEST")
