"""The search for a learning rate: the same number of tries for every variant."""

import math

STEP = 4.0


def first_rates(base):
    """Return the three rates that every search begins with: the base, lower and higher."""
    return [base / STEP, base, base * STEP]


def next_rate(tried):
    """Return the rate to try next.

    Beyond the best one where that is the lowest or the highest so far, else between the best and
    the better of its neighbours, at their geometric mean.

    Parameters
    ----------
    tried : dict of float to float
        Perplexity for each rate, infinite where training diverged.
    """
    rates = sorted(tried)
    place = rates.index(best_rate(tried))
    if place == 0:
        return rates[0] / STEP
    if place == len(rates) - 1:
        return rates[-1] * STEP
    neighbour = min(rates[place - 1], rates[place + 1], key=tried.get)
    return math.sqrt(rates[place] * neighbour)


def best_rate(tried):
    """Return the rate of lowest perplexity, the lowest of those that tie."""
    return min(sorted(tried), key=tried.get)
