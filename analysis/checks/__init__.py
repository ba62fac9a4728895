"""One file a claim of the theory; all of them, by name, in `CLAIMS`."""

from analysis.lab.found import found

# the order of docs/theory.md
_FIRST = (
    "count-sketch-error", "count-min-error", "count-min-one-sided", "count-min-one-sided-lazy",
    "depth", "graceful-width", "median-of-three", "median-of-many", "head-size", "shrunken-risk",
    "adaptive-stream", "adaptive-attack", "theorem-4-1", "lemma-b2", "facts-f1-f4",
    "theorem-any-stream", "theorem-conservative", "huber-worst-case", "colliding-bursts",
    "sgd-rate", "noise-free-floor", "adagrad-regret", "sm3-regret", "decay-stability",
    "load-bias", "merge-fold", "power-law",
)  # fmt: skip

CLAIMS = found(__name__, __path__, "CLAIM", _FIRST)
