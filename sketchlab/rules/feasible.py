"""The updates that exact moments can reach, and the clipping of all others (``clip="feasible"``).

With exact moments |m̃|/√ṽ has a largest value; an estimate beyond it can only be an error of a
sketch. Write p and q for the decays of the two moments and k = 0, 1, … for the touches of a row,
the latest first, s_k steps ago, so that s_k ≥ k. Then m = Σ a_k g_k and v = Σ b_k g_k² with
a_k, b_k > 0, and by Cauchy–Schwarz |m|² ≤ v · Σ a_k²/b_k, with equality for g_k ∝ a_k/b_k.

- Both moments decay alike (the exponents are k for ``lazy``, s_k for ``global``), or m decays
  globally and v lazily: a_k ≤ (1−p)pᵏ where b_k = (1−q)qᵏ, and a global pair only leaves terms out
  of the same sum. So Σ a_k²/b_k ≤ (1−p)²/(1−q) · Σ_{k<t} (p²/q)ᵏ, reached by a row that every step
  touches. A weighted v (below) over a global m gives the same.
- m with row weights: a_k = p^{s_k}/W with W = Σ p^{s_k} ≥ 1, so Σ a_k = 1 and Σ a_k²/b_k ≤
  max a_k/b_k ≤ max(1, (p/q)^{t−1})/(1−q): for p ≤ q reached by a row that is touched for the first
  time.
- Both with row weights: b_k = q^{s_k}/Σ q^{s_k}, so Σ a_k²/b_k = F, over the ages s of the touches
  F = Σqˢ·Σ(p²/q)ˢ/(Σpˢ)². For p = q that is 1. Write y for the larger of q and p²/q, which is at
  least p; the other is at most p. Two bounds, of which the smaller is taken: F = E z²/(E z)² for
  z = (p/y)ˢ with the weights yˢ, between (p/y)^{t−1} and 1, is at most (1 + z)²/(4z) for the
  smallest z (Kantorovich); and F ≤ Σyˢ/Σpˢ, which for touches at 0 and any others is largest for
  those from some age on, where each more adds a larger quotient (y/p)ˢ than the whole has.
- A shrunken m: of the earlier touches a part f of the weight counts, a_k = f·p^{s_k}/W for k ≥ 1
  and a_0 = 1/W with W = 1 + f·Σ p^{s_k}. Still Σ a_k = 1 and W ≥ 1, so that the bound of row
  weights holds, over a weighted v, too: there max a_k/b_k ≤ Σqˢ·max(1, (p/q)^{t−1}). For p ≤ q it
  is reached at f = 0, by a row whose gradients were zero but for the last.
- A lazy m over a global v has no useful bound: v fades while the row is not touched, m does not.

The bias corrections multiply the ratio by √(1−qᵗ)/(1−pᵗ); row weights contain their own.
"""

import bisect
import math

import numpy as np
from numba.extending import register_jitable

from sketchlab.errors import ConfigurationError

__all__ = ["SHRUNKEN", "WEIGHTED", "check_feasible", "largest_ratio", "within"]

#: The form of a moment with row weights; other forms are named by their decay.
WEIGHTED = "weighted"
#: The same where a part of the past may be left out; see `CountSketch`.
SHRUNKEN = "shrunken"

# Rounding in single precision may carry an exact ratio beyond its bound by a little.
_SLACK = 1e-4


@register_jitable
def within(value, limit):
    """A number, or an array, brought into [−limit, limit]; for every target."""
    return np.minimum(np.maximum(value, -limit), limit)


def check_feasible(m_form, v_form):
    """Refuse a pair of forms for which exact moments can have any ratio.

    Parameters
    ----------
    m_form, v_form : str
        A decay, ``"weighted"``, or for m ``"shrunken"``.

    Raises
    ------
    ConfigurationError
        If m stays while v fades.
    """
    lasting = ("lazy", "bucket")
    if m_form in lasting and v_form not in lasting:
        raise ConfigurationError(
            f"clip='feasible' with m's decay {m_form!r} over v's decay {v_form!r}: v fades while a "
            "row is not touched and m does not, so exact moments can have any ratio; give both "
            "the same decay, or m the global one"
        )


def largest_ratio(betas, step, m_form, v_form=None):
    """The largest |m̃|/√ṽ of exact, bias-corrected moments after `step` steps.

    Parameters
    ----------
    betas : pair of float
        The decays of m and v, each in [0, 1); that of m is 0 where no m is kept.
    step : int
        At least 1.
    m_form, v_form : str
        A pair that `check_feasible` accepts. That of v matters only where both are
        ``"weighted"``.

    Returns
    -------
    float
        With a slack of 0.01 % for rounding.

    Examples
    --------
    >>> largest_ratio((0.9, 0.999), 1, "lazy")
    1.0001
    >>> round(largest_ratio((0.9, 0.999), 10**6, "lazy"), 2)
    7.27
    >>> round(largest_ratio((0.9, 0.999), 10**6, "weighted"), 2)
    31.63
    >>> [round(largest_ratio((0.9, 0.999), t, "weighted", "weighted"), 2) for t in (10, 10**6)]
    [1.11, 30.47]
    """
    p, q = betas
    full = _sum_of_powers(q, step)  # (1−qᵗ)/(1−q)
    if m_form == v_form == WEIGHTED:
        squared = _largest_of_weighted(p, max(q, _quotient(p * p, q)), step)
    elif m_form in (WEIGHTED, SHRUNKEN):
        squared = full * max(1.0, _power(_quotient(p, q), step - 1))
    else:
        squared = full * _sum_of_powers(_quotient(p * p, q), step) / _sum_of_powers(p, step) ** 2
    return math.sqrt(squared) * (1 + _SLACK)


def _largest_of_weighted(p, y, step):
    """Bound on F of the module's docstring for touches at any ages below `step`, 0 among them."""
    quotient = _quotient(y, p)

    def from_age(age):
        """Σyˢ/Σpˢ for touches at 0 and at every age from this one on."""
        if age == step:
            return 1.0
        above, below = (1 + _power(x, age) * _sum_of_powers(x, step - age) for x in (y, p))
        return above / below

    def adds(age):
        """Whether a touch at this age makes it larger; so do all older ones then."""
        return _power(quotient, age) > from_age(age + 1)

    oldest = bisect.bisect_left(range(1, step), True, key=adds) + 1
    spread = _power(quotient, step - 1)  # 1/z
    kantorovich = (1 + spread) / 2 * (1 + 1 / spread) / 2 if spread > 0 else math.inf
    return min(from_age(oldest), kantorovich)


def _quotient(p, q):
    """p/q, where 0/0 stands for the limit p = 0: a single touch."""
    if q == 0:
        return math.inf if p > 0 else 0.0
    return p / q


def _sum_of_powers(x, count):
    """1 + x + … + x^(count−1)."""
    if x == 1 or count <= 1:
        return float(count)
    return (1 - _power(x, count)) / (1 - x) if x < math.inf else math.inf


def _power(x, exponent):
    """x^exponent, infinite where it is too large for a float."""
    try:
        return x**exponent
    except OverflowError:
        return math.inf
