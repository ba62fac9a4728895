"""Bounds on the answers of sketches as numbers: one function a statement, each callable by itself.

A sketch has `depth` v rows of `width` w buckets. The bounds on optimizers are in `descent` (mean
‖∇f‖²) and `regret`; the proofs in docs/theory.md.

References
----------
Charikar, Chen & Farach-Colton (2002). Cormode & Muthukrishnan (2005). Larsen, Pagh & Tětek (2021).
Minton & Price (2012). Aamand, Indyk & Vakilian (2019).
"""

import math

import numpy as np
from scipy import stats

# -- point queries ---------------------------------------------------------------------------


def count_sketch_row_failure(width, rate):
    """Chance that one row of a count-sketch errs by more than rate·‖x‖₂ (Charikar et al. 2002).

    Pairwise independent signs make the row's answer unbiased; pairwise independent buckets
    leave it a variance of at most ‖x‖₂²/w. Chebyshev's inequality does the rest.

    Parameters
    ----------
    width : int
    rate : float
        ε₁.

    Returns
    -------
    float
        min(1, 1/(ε₁² w)).
    """
    return min(1.0, 1.0 / (rate**2 * width))


def median_failure(row_failure, depth):
    """Chance that the median of independent rows fails: P(Bin(v, p) ≥ v/2).

    The median of an odd number is off only if more than half of the rows are; the mean of the
    two middle ones of an even number only if at least half are.

    Parameters
    ----------
    row_failure : float
    depth : int
    """
    return float(stats.binom.sf(math.ceil(depth / 2) - 1, depth, row_failure))


def count_sketch_failure(width, depth, rate):
    """Chance that a count-sketch errs by more than rate·‖x‖₂ (Charikar et al. 2002).

    With w = 3/ε₁² a row fails with probability at most 1/3, and the median as `median_failure`.

    Parameters
    ----------
    width, depth : int
    rate : float
        ε₁.
    """
    return median_failure(count_sketch_row_failure(width, rate), depth)


def count_sketch_tail_failure(width, depth, rate, heavy):
    """Chance that a count-sketch errs by more than rate·‖x without its k largest entries‖₂.

    A row fails only if one of the k heavy entries shares the bucket (at most k/w) or if the
    others err by that much (Chebyshev, at most 1/(ε₁² w)): 1/3 for w ≥ 6k and w ≥ 6/ε₁².

    Parameters
    ----------
    width, depth : int
    rate : float
        ε₁.
    heavy : int
        k.
    """
    row = min(1.0, heavy / width + count_sketch_row_failure(width, rate))
    return median_failure(row, depth)


def count_min_failure(width, depth, rate):
    """Chance that a count-min sketch errs by more than rate·‖x‖₁ (Cormode & Muthukrishnan 2005).

    The expected error of a row is at most ‖x‖₁/w; by Markov's inequality it exceeds ε₁‖x‖₁ with
    probability at most 1/(ε₁ w), and the minimum of v independent rows does if all of them do.
    With w = ⌈e/ε₁⌉ that is e^{−v}.

    Parameters
    ----------
    width, depth : int
    rate : float
        ε₁.
    """
    return min(1.0, 1.0 / (rate * width)) ** depth


# -- decay -------------------------------------------------------------------------------------


def largest_nonnegative_load(keep):
    """Touched rows a bucket up to which `lazy` and `bucket` decay stay non-negative: 1/(1−c).

    A step on K rows of one bucket multiplies what it held by 1 − K(1−c) (theory §4).

    Parameters
    ----------
    keep : float
        c.
    """
    return 1 / (1 - keep)


def unstable_load(keep):
    """Touched rows a bucket from which `lazy` and `bucket` decay no longer forget: 2/(1−c).

    ``|1 − K(1−c)| < 1`` only for K < 2/(1−c).

    Parameters
    ----------
    keep : float
        c.
    """
    return 2 / (1 - keep)


# -- medians and heads ---------------------------------------------------------------------


def row_variance(values, width):
    """Variance of one row of a count-sketch about a row that is not among `values`: ‖x‖₂²/w.

    Parameters
    ----------
    values : ndarray, (n,)
        What shares the sketch.
    width : int
    """
    return float(np.square(values).sum() / width)


def median_of_three_variance(values, width):
    """Bound on the mean squared error of the median of three rows: 3·min(‖x‖₁²/w², ‖x‖₂²/w).

    The order is that of Larsen, Pagh & Tětek (2021); with this constant: the median is off by no
    more than the second largest of three magnitudes, so its square is at most the sum over pairs of
    min(X_a², X_b²). That is at most ``|X_a|·|X_b|``, of mean ``(E|X|)²`` ≤ (‖x‖₁/w)², and at most
    (X_a² + X_b²)/2, of mean ≤ ‖x‖₂²/w.

    Parameters
    ----------
    values : ndarray, (n,)
        What shares the sketch.
    width : int
    """
    magnitudes = np.abs(values).sum() / width
    return 3 * min(float(magnitudes) ** 2, row_variance(values, width))


def median_of_many_variance(values, width, depth):
    """Mean squared error of the median of `depth` rows that are normal, with variance ‖x‖₂²/w each.

    What a count-sketch tends to for many entries a bucket; it approaches (π/2)·‖x‖₂²/(w·v). The
    median of v uniform numbers has a beta distribution. Minton & Price (2012) prove the order for
    fully independent hash functions.

    Parameters
    ----------
    values : ndarray, (n,)
        What shares the sketch.
    width, depth : int
        An odd depth.
    """
    half = (depth + 1) / 2
    share = stats.beta(half, half).expect(lambda u: stats.norm.ppf(u) ** 2)
    return float(share) * row_variance(values, width)


def head_error(values, head, cells):
    """Expected error of one row of buckets beside a head of exact rows: Σ_{i>h} x_i/(cells − h).

    Of an entry that is not among them; with squares for values, the expected squared error of a
    count-sketch.

    Parameters
    ----------
    values : ndarray, (n,)
        Non-negative, in falling order.
    head, cells : int
        h, and the cells of head and buckets together.
    """
    return float(np.sum(values[head:]) / (cells - head))


def best_head(values, cells):
    """The head that makes `head_error` smallest: the entries that are larger than it.

    As E(h+1) ≤ E(h) exactly where x_{h+1} ≥ E(h), and the entries fall, one more row belongs in the
    head as long as it is at least what the rows outside err by.

    Parameters
    ----------
    values : ndarray, (n,)
        Non-negative, in falling order; squares of them for a count-sketch.
    cells : int

    Examples
    --------
    >>> best_head([8.0, 4.0, 2.0, 1.0, 1.0, 1.0], cells=4)
    2
    """
    head = 0
    while head < cells - 1 and values[head] >= head_error(values, head, cells):
        head += 1
    return head


# -- shrunken answers --------------------------------------------------------------------------


def best_factor_risk(signal, noise):
    """Least mean square error of a factor times an unbiased answer: ‖m‖²·ν/(‖m‖² + ν).

    Parameters
    ----------
    signal : float
        ‖m‖², what an answer of 0 errs by.
    noise : float
        ν, the mean square error of the answer itself.

    Returns
    -------
    float
        At most the smaller of the two (Wiener 1949). 0 where both are.
    """
    return signal * noise / (signal + noise) if signal + noise else 0.0


def shrunken_risk(signal, noise, depth, rank):
    """Bound on the mean square error of an answer that is shrunken by the measured factor.

    Of the mean of `depth` readings whose errors are normal, alike in all of `rank` directions and
    independent of each other: r/(r − 2)·(best factor's + 2v/((v − 1)r)·ν), by James & Stein's
    (1961) identity with a measured variance. docs/theory.md §9 has the proof.

    Parameters
    ----------
    signal, noise : float
        As `best_factor_risk`.
    depth : int
        v, at least 2.
    rank : int
        r, at least 3.

    Returns
    -------
    float
    """
    excess = 2 * depth / ((depth - 1) * rank) * noise
    return rank / (rank - 2) * (best_factor_risk(signal, noise) + excess)
