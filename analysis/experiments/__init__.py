"""One file for each table or figure; all of them, by name, in `EXPERIMENTS`."""

from analysis.lab.found import found

# the order of docs/results.md
_FIRST = (
    "language-model", "wikitext-lstm", "lm1b-lstm", "gap-against-what", "gap-against-steps",
    "masked-language-model", "head-tail", "shrunken-moment", "shrinkage-forms",
    "two-byte-cells", "two-byte-errors", "pairings", "pareto", "approximation-error", "cleaning",
    "power-law-curves", "dense-layers", "extreme-classification", "batch-time", "memory",
    "many-classes", "store-map", "first-moment-map", "speed", "cold-start", "gpu-speed",
)  # fmt: skip

EXPERIMENTS = found(__name__, __path__, "EXPERIMENT", _FIRST)
