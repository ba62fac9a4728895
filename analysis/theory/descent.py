"""Bounds on mean ‖∇f‖² of sketched RMSprop: one function a theorem, each callable by itself.

The algorithm: x_{t+1,i} = x_{t,i} − η g_{t,i}/(√v̂_{t,i} + ε), without bias correction. η is the
learning rate, ε the optimizer's; G_i bounds |g_{t,i}| of every sample, G = max G_i, ‖G‖² = Σ G_i²;
σ_i² bounds the variance of g_i, divided by b in batches of b; f is L-smooth with infimum f*.

The bounds need facts about the estimates v̂_t of v_t = β v_{t−1} + (1−β) g_t²:

* F1: v̂_{t,i} ≥ v_{t,i}
* F2: v̂_{t,i} ≥ β v̂_{t−1,i} + (1−β) g²_{t,i}
* F3: v̂_{t,i} ≤ B_i
* F4: v̂_{t,i} − β v̂_{t−1,i} ≤ (1−β) (g²_{t,i} + κ_i), hence ≤ (1−β) Γ_i

`linear_constants` and `conservative_constants` give B, κ and Γ from the hash functions alone. The
proofs are in docs/theory.md, line by line.

References
----------
Spring, Kyrillidis, Mohan & Shrivastava (2019). Zaheer, Reddi, Sachan, Kale & Kumar (2018).
"""

import math
from typing import NamedTuple

import numpy as np


class Constants(NamedTuple):
    """B, κ and Γ of the facts F3 and F4, (n,) each."""

    ceilings: np.ndarray
    collisions: np.ndarray
    growths: np.ndarray


def linear_constants(buckets, gradient_bounds):
    """B, κ and Γ of the linear count-min sketch, S_t = β S_{t−1} + (1−β)·sketch(g_t²).

    B_i = min_j Σ_{i' in bucket_j(i)} G²_{i'}: no bucket can hold more than the sum of its rows'
    bounds. κ_i = max_j Σ_{i' in bucket_j(i), i' ≠ i} G²_{i'}: the bucket that attained the
    minimum at t−1 has become at most β v̂_{t−1,i} + (1−β)(g²_{t,i} + what collides in it).
    Γ_i = G_i² + κ_i.

    Parameters
    ----------
    buckets : ndarray of int, (depth, n)
    gradient_bounds : ndarray, (n,)
        G_i.
    """
    squares = np.square(gradient_bounds)
    sums = np.array([np.bincount(row, weights=squares)[row] for row in buckets])
    collisions = (sums - squares).max(axis=0)
    return Constants(sums.min(axis=0), collisions, squares + collisions)


def conservative_constants(buckets, gradient_bounds):
    """B, κ and Γ of the conservative count-min sketch: maxima where the linear one has sums.

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
    collisions = others.max(axis=0)
    return Constants(largest.min(axis=0), collisions, np.maximum(squares, collisions))


def exact_constants(gradient_bounds):
    """B, κ and Γ of the exact second moment: nothing collides.

    Parameters
    ----------
    gradient_bounds : ndarray, (n,)
        G_i.
    """
    squares = np.square(gradient_bounds)
    return Constants(squares, np.zeros_like(squares), squares)


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
    variances : ndarray, (n,)
        σ_i²/b of the stochastic gradient.
    lr, beta, eps : float
    steps : int
        T.
    """

    gap: float
    smoothness: float
    gradient_bounds: np.ndarray
    variances: np.ndarray
    lr: float
    beta: float
    eps: float
    steps: int


def conditions_hold(run):
    """Whether η ≤ ε/(2L) and √(1−β) ≤ ε/(4G), the conditions of Theorem 4.1.

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
    + G√(1−β)/ε²·ε₁n‖G‖²]. **False where ε₁n is small**: its proof takes v̂ ≤ ε₁ n G², where
    (1+ε₁n)G² follows, so that for ε₁ → 0 the factor falls below what v̂ ≥ v allows. It also
    rests on Lemma B.2, which is false. `smallest_bound` is the statement that holds.

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
    bracket = _start(run) + noise * np.sum(run.variances) + drift * spread * squares
    return float(2 * (math.sqrt(run.beta * spread) * largest + run.eps) * bracket)


def theorem_additive(run, constants):
    """Mean of E‖∇f(x_t)‖² over t < T, for any stream: collisions add Σκ_i (docs/theory.md §3).

    2(√(β max B_i) + ε)·[(f(x₀)−f*)/(ηT) + (G√(1−β)/ε² + Lη/(2ε²)) σ²/b + G√(1−β)/ε²·Σ κ_i].
    The printed theorem's form, with what its proof can show. Uses F2, F3, F4 and both conditions.

    Parameters
    ----------
    run : Descent
    constants : Constants

    Returns
    -------
    float
        Infinite where the conditions do not hold.
    """
    if not conditions_hold(run):
        return math.inf
    factor = 2 * (math.sqrt(run.beta * np.max(constants.ceilings)) + run.eps)
    drift = np.max(run.gradient_bounds) * math.sqrt(1 - run.beta) / run.eps**2
    noise = drift + run.smoothness * run.lr / (2 * run.eps**2)
    bracket = _start(run) + noise * np.sum(run.variances) + drift * np.sum(constants.collisions)
    return float(factor * bracket)


def theorem_exact_order(run, constants):
    """Theorem A: the order of exact RMSprop, where a step's collisions are small beside ε.

    4(√(β max B_i) + ε)·[(f(x₀)−f*)/(ηT) + ε^{−1} Σ (σ_i²/b)(ρ_i + Lη/(2ε))] with
    ρ_i = (1−β) Γ_i/ε², if η ≤ ε/(2L) and every ρ_i ≤ 1/16. Under √(1−β) ≤ ε/(4G) the conservative
    sketch meets this at any width, as Γ_i ≤ G² there. Uses F2, F3 and F4.

    Parameters
    ----------
    run : Descent
    constants : Constants

    Returns
    -------
    float
        Infinite where the conditions do not hold.
    """
    shares = (1 - run.beta) * constants.growths / run.eps**2
    if run.lr > run.eps / (2 * run.smoothness) or np.max(shares) > 1 / 16:
        return math.inf
    noise = shares + run.smoothness * run.lr / (2 * run.eps)
    bracket = _start(run) + np.sum(run.variances * noise) / run.eps
    return float(4 * (math.sqrt(run.beta * np.max(constants.ceilings)) + run.eps) * bracket)


def theorem_no_floor(run, constants):
    """Theorem B: any sketch, any β, and no floor where there is no noise.

    2(√max B_i + ε)·[(f(x₀)−f*)/(ηT) + ε^{−2} Σ (σ_i²/b)(2 ρ_i U_i + 1.5 Lη)] with
    ρ_i = min(1, (1−β) Γ_i/ε²) and U_i = √B_i + ε, if η ≤ ε/(2L). Uses F2, F3 and F4.

    Parameters
    ----------
    run : Descent
    constants : Constants

    Returns
    -------
    float
        Infinite where η is larger.
    """
    if run.lr > run.eps / (2 * run.smoothness):
        return math.inf
    shares = np.minimum(1.0, (1 - run.beta) * constants.growths / run.eps**2)
    noise = 2 * shares * (np.sqrt(constants.ceilings) + run.eps)
    noise = noise + 1.5 * run.smoothness * run.lr
    bracket = _start(run) + np.sum(run.variances * noise) / run.eps**2
    return float(2 * (math.sqrt(np.max(constants.ceilings)) + run.eps) * bracket)


def smallest_bound(run, constants):
    """The smallest of the bounds on the mean of E‖∇f(x_t)‖² that apply to a run.

    Parameters
    ----------
    run : Descent
    constants : Constants
        `linear_constants`, `conservative_constants` or `exact_constants`.
    """
    theorems = (theorem_additive, theorem_exact_order, theorem_no_floor)
    return min(theorem(run, constants) for theorem in theorems)


def theorem_conservative(run, buckets):
    """`smallest_bound` of the conservative sketch with these buckets.

    As max B_i is G² itself, the factor before the bracket is that of exact RMSprop.

    Parameters
    ----------
    run : Descent
    buckets : ndarray of int, (depth, n)
    """
    return smallest_bound(run, conservative_constants(buckets, run.gradient_bounds))


def theorem_linear(run, buckets):
    """`smallest_bound` of the linear sketch with these buckets.

    Parameters
    ----------
    run : Descent
    buckets : ndarray of int, (depth, n)
    """
    return smallest_bound(run, linear_constants(buckets, run.gradient_bounds))


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
    """`smallest_bound` of exact RMSprop (after Zaheer et al. 2018).

    Parameters
    ----------
    run : Descent
    """
    return smallest_bound(run, exact_constants(run.gradient_bounds))


def _start(run):
    return run.gap / (run.lr * run.steps)


def _sizes(gradient_bounds):
    return np.max(gradient_bounds), np.sum(np.square(gradient_bounds)), len(gradient_bounds)


def burst_residual(colliding, size, beta, eps):
    """What rare bursts leave of a gradient, as a share of burst × probability (theory §5).

    Row 0's helpful gradient comes as bursts of `size` with a small probability q, so that f is
    stationary where E g = 0 but the method where E g/(√v̂ + ε) = 0. With A = √v̂ + ε in a burst and
    ε between two of them, what is left is q·size·(1 − ε/A): A = ε + size·√((1−β)(1 + K)) where K
    rows of the same bucket burst together in a linear sketch, and K = 0 under the conservative
    update and in exact RMSprop. The limit of bursts so rare that v̂ has faded in between.

    Parameters
    ----------
    colliding : int
        K.
    size, beta, eps : float
    """
    height = size * math.sqrt((1 - beta) * (1 + colliding))
    return height / (height + eps)
