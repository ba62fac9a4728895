"""One file a claim of the theory; all of them, by name, in `CLAIMS`."""

from analysis.lab.found import found

# the order of docs/theory.md
_FIRST = (
    "count-sketch-error", "count-min-error", "count-min-one-sided", "count-min-one-sided-lazy",
    "depth", "graceful-width", "adaptive-stream", "lemma-b2", "facts-f1-f4", "theorem-4-1",
    "theorem-any-stream", "theorem-conservative", "sgd-rate", "noise-free-floor",
    "adagrad-regret", "decay-stability", "power-law", "load-bias", "merge-fold",
)  # fmt: skip

CLAIMS = found(__name__, __path__, "CLAIM", _FIRST)
