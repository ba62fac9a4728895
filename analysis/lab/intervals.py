"""How a measurement becomes a verdict: exact intervals for rates, bootstrap intervals for slopes.

Every interval takes an ``error``, the largest chance that it misses. A family of comparisons
divides its own among them (Bonferroni).
"""

import numpy as np
from scipy import stats

HOLDS, REFUTED, UNDECIDED = "holds", "refuted", "undecided"


def clopper_pearson(failures, draws, error):
    """Exact confidence interval of a probability (Clopper & Pearson 1934).

    Parameters
    ----------
    failures, draws : int or array of int
    error : float
        Largest chance of missing the probability, split evenly over both ends.

    Returns
    -------
    low, high : float or ndarray
    """
    failures, draws = np.asarray(failures), np.asarray(draws)
    low = stats.beta.ppf(error / 2, failures, draws - failures + 1)
    high = stats.beta.ppf(1 - error / 2, failures + 1, draws - failures)
    return np.where(failures == 0, 0.0, low)[()], np.where(failures == draws, 1.0, high)[()]


def at_most(low, high, limit):
    """Verdict on "the quantity is at most `limit`", given its interval."""
    if high <= limit:
        return HOLDS
    return REFUTED if low > limit else UNDECIDED


def near(low, high, target, tolerance):
    """Verdict on "the quantity is `target`, give or take `tolerance`", given its interval."""
    if target - tolerance <= low and high <= target + tolerance:
        return HOLDS
    return REFUTED if high < target - tolerance or low > target + tolerance else UNDECIDED


def together(verdicts):
    """One verdict on a conjunction: refuted by any part, holding only when every part holds."""
    verdicts = set(verdicts)
    if REFUTED in verdicts:
        return REFUTED
    return HOLDS if verdicts == {HOLDS} else UNDECIDED


def slope(x, y):
    """Exponent of a power law: the least-squares slope of log y against log x.

    Parameters
    ----------
    x : array_like, (points,)
    y : array_like, (..., points)
    """
    logs = np.log(x) - np.mean(np.log(x))
    return (np.log(y) * logs).sum(axis=-1) / (logs**2).sum()


def bootstrap_slope(x, runs, error, resamples=4000, seed=0, average=np.mean):
    """Exponent of the mean of several runs, with a bootstrap interval over the runs.

    Parameters
    ----------
    x : array_like, (points,)
    runs : array_like, (runs, points)
        Positive. Runs, not points, are drawn again: the points of a run may depend on each other.
    error : float
    resamples, seed : int
    average : callable
        ``average(runs, axis)``; the mean by default.

    Returns
    -------
    exponent, low, high : float
        The interval reaches as many bootstrap standard errors either way as Student's t asks
        for, since the percentiles of a few runs are too narrow.
    """
    runs = np.asarray(runs, dtype=float)
    generator = np.random.default_rng(seed)
    chosen = generator.integers(len(runs), size=(resamples, len(runs)))
    exponent = slope(x, average(runs, axis=0))
    spread = slope(x, average(runs[chosen], axis=1)).std()
    # a sample of n spreads √((n − 1)/n) too little
    spread *= np.sqrt(len(runs) / (len(runs) - 1))
    reach = stats.t.ppf(1 - error / 2, len(runs) - 1) * spread
    return float(exponent), float(exponent - reach), float(exponent + reach)


def mean_interval(samples, error):
    """Student's interval of a mean, along the first axis.

    Returns
    -------
    mean, low, high : float or ndarray
    """
    samples = np.asarray(samples, dtype=float)
    count = len(samples)
    mean = samples.mean(axis=0)
    reach = stats.t.ppf(1 - error / 2, count - 1) * samples.std(axis=0, ddof=1) / np.sqrt(count)
    return mean, mean - reach, mean + reach


def mean_intervals(samples_of, error):
    """Student's intervals of several means, by name, as lists of mean, low and high."""
    return {
        name: list(map(float, mean_interval(samples, error)))
        for name, samples in samples_of.items()
    }


def departure(low, high, target):
    """How far an interval reaches from a target, as a share of it: what `near` must allow."""
    return max(1 - low / target, high / target - 1)


def rank_correlation(x, y, error):
    """Spearman's rank correlation with an interval (Bonett & Wright 2000).

    Fisher's z of it is about normal with the variance (1 + ρ²/2)/(n − 3). Where ρ is 1 or −1, which
    has no z, the interval begins where that of the next smaller value does.

    Parameters
    ----------
    x, y : array_like, (n,)
        Equal infinities tie.
    error : float

    Returns
    -------
    rho, low, high : float
        0 with the widest interval where all of x or all of y are equal, or n < 4.
    """
    if len(x) < 4 or len(set(x)) == 1 or len(set(y)) == 1:
        return 0.0, -1.0, 1.0
    rho = float(stats.spearmanr(x, y).statistic)
    most = 1 - 12 / (len(x) * (len(x) ** 2 - 1))  # two neighbours exchanged
    inside = float(np.clip(rho, -most, most))
    reach = stats.norm.ppf(1 - error / 2) * np.sqrt((1 + inside**2 / 2) / (len(x) - 3))
    low, high = np.tanh(np.arctanh(inside) + np.array([-reach, reach]))
    return rho, min(rho, float(low)), max(rho, float(high))


def rounding_allowance(operations, dtype=np.float64):
    """Relative error that rounding may make in `operations` additions and products of one sign."""
    return operations * np.finfo(dtype).eps
