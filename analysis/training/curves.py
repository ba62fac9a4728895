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
