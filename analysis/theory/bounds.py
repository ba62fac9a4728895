"""The bounds of the theory as numbers: one function a statement, each callable by itself.

Symbols: a sketch has `depth` v rows of `width` w buckets; β is the decay of the second moment,
η the learning rate, ε the optimizer's; G_i bounds |g_{t,i}| of every sample, G = max G_i,
‖G‖² = Σ G_i²; σ² = Σ σ_i²; f is L-smooth with infimum f*.

The convergence bounds need four facts about the estimates v̂_t of v_t = β v_{t−1} + (1−β) g_t²:

* F1: v̂_{t,i} ≥ v_{t,i}
* F2: v̂_{t,i} ≥ β v̂_{t−1,i} + (1−β) g²_{t,i}
* F3: v̂_{t,i} ≤ B_i
* F4: v̂_{t,i} − β v̂_{t−1,i} ≤ (1−β) (g²_{t,i} + κ_i)

`linear_constants` and `conservative_constants` give B and κ from the hash functions alone.

References
----------
Charikar, Chen & Farach-Colton (2002). Cormode & Muthukrishnan (2005).
Spring, Kyrillidis, Mohan & Shrivastava (2019). Zaheer, Reddi, Sachan, Kale & Kumar (2018).
"""

import math
from typing import NamedTuple

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


# -- what the hash functions alone say of an estimate -------------------------------------------


class Constants(NamedTuple):
    """B and κ of the facts F3 and F4, (n,) each."""

    ceilings: np.ndarray
    collisions: np.ndarray


def linear_constants(buckets, gradient_bounds):
    """B and κ of the linear count-min sketch, S_t = β S_{t−1} + (1−β)·sketch(g_t²).

    B_i = min_j Σ_{i' in bucket_j(i)} G²_{i'}: no bucket can hold more than the sum of its rows'
    bounds. κ_i = max_j Σ_{i' in bucket_j(i), i' ≠ i} G²_{i'}: the bucket that attained the
    minimum at t−1 has become at most β v̂_{t−1,i} + (1−β)(g²_{t,i} + what collides in it).

    Parameters
    ----------
    buckets : ndarray of int, (depth, n)
    gradient_bounds : ndarray, (n,)
        G_i.
    """
    squares = np.square(gradient_bounds)
    sums = np.array([np.bincount(row, weights=squares)[row] for row in buckets])
    return Constants(sums.min(axis=0), (sums - squares).max(axis=0))


def conservative_constants(buckets, gradient_bounds):
    """B and κ of the conservative count-min sketch: maxima where the linear one has sums.

    A bucket becomes the larger of β S and the largest target of its rows, β v̂_{i'} + (1−β) g²_{i'}
    with v̂_{i'} ≤ S, hence S_t ≤ β S_{t−1} + (1−β) max g² over the bucket. By induction
    S_t ≤ max G², so B_i = min_j max_{i' in bucket_j(i)} G²_{i'} ≤ G²; and from the bucket that
    attained the minimum at t−1, κ_i = max_j max_{i' in bucket_j(i), i' ≠ i} G²_{i'}.

    Parameters
    ----------
    buckets : ndarray of int, (depth, n)
    gradient_bounds : ndarray, (n,)
    """
    squares = np.square(gradient_bounds)
    largest = np.array([_bucket_maximum(row, squares) for row in buckets])
    others = np.array([_maximum_of_others(row, squares) for row in buckets])
    return Constants(largest.min(axis=0), others.max(axis=0))


def _bucket_maximum(buckets, values):
    top = np.zeros(buckets.max() + 1)
    np.maximum.at(top, buckets, values)
    return top[buckets]


def _maximum_of_others(buckets, values):
    """Largest value among the other rows of each row's bucket, 0 where there is none."""
    order = np.lexsort((-values, buckets))
    sorted_buckets, sorted_values = buckets[order], values[order]
    starts = np.flatnonzero(np.r_[True, np.diff(sorted_buckets) > 0])
    lengths = np.diff(np.r_[starts, len(order)])
    second = np.where(lengths > 1, sorted_values[np.minimum(starts + 1, len(order) - 1)], 0.0)
    others = np.repeat(sorted_values[starts], lengths)
    others[starts] = second
    answer = np.empty_like(others)
    answer[order] = others
    return answer


# -- convergence -------------------------------------------------------------------------------


class Descent(NamedTuple):
    """What a run of the theorem's algorithm is known by.

    Attributes
    ----------
    gap : float
        f(x₀) − f*.
    smoothness : float
        L.
    gradient_bounds : ndarray, (n,)
        G_i.
    variance : float
        σ²/b of the stochastic gradient.
    lr, beta, eps : float
    steps : int
        T.
    """

    gap: float
    smoothness: float
    gradient_bounds: np.ndarray
    variance: float
    lr: float
    beta: float
    eps: float
    steps: int


def conditions_hold(run):
    """Whether η ≤ ε/(2L) and √(1−β) ≤ ε/(4G), as every convergence bound here asks.

    Parameters
    ----------
    run : Descent
    """
    largest = np.max(run.gradient_bounds)
    slow = run.lr <= run.eps / (2 * run.smoothness)
    return bool(slow and math.sqrt(1 - run.beta) <= run.eps / (4 * largest))


def theorem_4_1(run, rate):
    """Theorem 4.1 / B.1 of Spring et al. (2019) as printed, with the constants of its proof.

    2(√(β ε₁ n)·G + ε)·[(f(x₀)−f*)/(ηT) + (G√(1−β)/ε²·(1+ε₁n) + Lη/(2ε²)) σ²/b
    + G√(1−β)/ε²·ε₁n‖G‖²]. The proof has gaps: it takes v̂ ≤ ε₁ n G², where (1+ε₁n)G² follows,
    and rests on Lemma B.2, which is false. `theorem_any_stream` is the statement that holds.

    Parameters
    ----------
    run : Descent
    rate : float
        ε₁, with width e/ε₁ and depth ln(nT/δ).
    """
    largest, squares, count = _sizes(run.gradient_bounds)
    spread = rate * count
    drift = largest * math.sqrt(1 - run.beta) / run.eps**2
    noise = drift * (1 + spread) + run.smoothness * run.lr / (2 * run.eps**2)
    bracket = _start(run) + noise * run.variance + drift * spread * squares
    return 2 * (math.sqrt(run.beta * spread) * largest + run.eps) * bracket


def theorem_any_stream(run, constants):
    """Mean of E‖∇f(x_t)‖² over t < T, for any stream, given the hash functions.

    2(√(β max B_i) + ε)·[(f(x₀)−f*)/(ηT) + (G√(1−β)/ε² + Lη/(2ε²)) σ²/b + G√(1−β)/ε²·Σ κ_i].

    Proof, following Zaheer et al. (2018). Smoothness bounds f(x_{t+1}) − f(x_t). Replace
    1/(√v̂_t+ε) by 1/(√(β v̂_{t−1})+ε), which the step's noise does not enter. F2 gives the
    difference its sign and √v̂_t ≥ √(1−β)·abs(g_t); with F4, abs(g_i) times it is at most
    √(1−β)(g_i²+κ_i) / (ε(√(β v̂_{t−1,i})+ε)). F2 again: (√v̂_t+ε)² ≥ ε(√(β v̂_{t−1})+ε) in the
    quadratic term. With E g_i² ≤ (∂_i f)² + σ_i²/b, the conditions on β and η leave half of
    η(∂_i f)²/(√(β v̂_{t−1,i})+ε), which F3 bounds from below. Sum over t. F1 is not needed: F2
    implies what is used of it.

    Parameters
    ----------
    run : Descent
    constants : Constants
        `linear_constants` or, for `theorem_conservative`, `conservative_constants`.
    """
    factor = 2 * (math.sqrt(run.beta * np.max(constants.ceilings)) + run.eps)
    drift = np.max(run.gradient_bounds) * math.sqrt(1 - run.beta) / run.eps**2
    noise = drift + run.smoothness * run.lr / (2 * run.eps**2)
    bracket = _start(run) + noise * run.variance + drift * np.sum(constants.collisions)
    return float(factor * bracket)


def theorem_conservative(run, buckets):
    """The bound of `theorem_any_stream` for the conservative update.

    The same telescoping, with the maxima of `conservative_constants` in F3 and F4. As max B_i is
    G² itself, the factor before the bracket is that of exact RMSprop.

    Parameters
    ----------
    run : Descent
    buckets : ndarray of int, (depth, n)
    """
    return theorem_any_stream(run, conservative_constants(buckets, run.gradient_bounds))


def theorem_linear(run, buckets):
    """The bound of `theorem_any_stream` for the linear sketch with these buckets.

    Parameters
    ----------
    run : Descent
    buckets : ndarray of int, (depth, n)
    """
    return theorem_any_stream(run, linear_constants(buckets, run.gradient_bounds))


def expected_collisions(width, depth, gradient_bounds):
    """Bound on E Σ κ_i of the linear sketch over the hash functions: (v n/w)‖G‖².

    The maximum over v rows is at most their sum, and each row's colliding mass has mean at most
    ‖G‖²/w for each of the n entries.

    Parameters
    ----------
    width, depth : int
    gradient_bounds : ndarray, (n,)
        G_i.
    """
    _, squares, count = _sizes(gradient_bounds)
    return depth * count / width * squares


def exact_bound(run):
    """The bound of exact RMSprop (Zaheer et al. 2018): no collisions, ceilings G_i².

    Parameters
    ----------
    run : Descent
    """
    squares = np.square(run.gradient_bounds)
    return theorem_any_stream(run, Constants(squares, np.zeros_like(squares)))


def _start(run):
    return run.gap / (run.lr * run.steps)


def _sizes(gradient_bounds):
    return np.max(gradient_bounds), np.sum(np.square(gradient_bounds)), len(gradient_bounds)


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

    abs(1 − K(1−c)) < 1 only for K < 2/(1−c).

    Parameters
    ----------
    keep : float
        c.
    """
    return 2 / (1 - keep)
