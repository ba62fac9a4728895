"""Perplexity along the runs of a variant."""

import statistics
from itertools import zip_longest


def mean_curve(curves):
    """Return epochs with mean and deviation of the validation perplexity over some runs.

    A run that ended earlier than others counts as long as it lasted.
    """
    points = []
    for places in zip_longest(*(zip(each["epoch"], each["perplexity"]) for each in curves)):
        there = [place for place in places if place is not None]
        seen = [perplexity for _, perplexity in there if perplexity is not None]
        mean = round(statistics.fmean(seen), 2) if seen else None
        std = round(statistics.stdev(seen), 2) if len(seen) > 1 else None
        points.append({"epoch": there[0][0], "mean": mean, "std": std})
    return points


def on_the_way(curve):
    """A mean curve as text: after a fifth of its epochs, after half of them, and the best."""
    seen = [point["mean"] for point in curve if point["mean"] is not None]
    if not seen:
        return ""
    chosen = (seen[max(0, len(seen) // 5 - 1)], seen[max(0, len(seen) // 2 - 1)], min(seen))
    return " → ".join(f"{perplexity:.1f}" for perplexity in chosen)
