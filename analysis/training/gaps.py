"""Gaps: how much higher a perplexity is than exact state's, seed by seed, and their power law.

A replicate of a variant begins with the same parameters, and sees the same batches, as the same
replicate of the exact one, so that their ratio varies less than either.
"""

import math
import statistics
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


class PowerLaw(NamedTuple):
    """A line through the logarithms of some points: y = exp(intercept) · x^slope.

    `center`, `spread` and `count` are mean and sum of squared deviations of log x, and the number
    of points; `deviation` is the standard deviation of the residuals.
    """

    slope: float
    intercept: float
    center: float
    spread: float
    count: int
    deviation: float

    def at(self, x):
        """Return y at x, and a confidence interval of it, as far as the law holds there."""
        place = math.log(x)
        middle = self.intercept + self.slope * place
        half = self._quantile() * self.deviation
        half *= math.sqrt(1 / self.count + (place - self.center) ** 2 / self.spread)
        return tuple(math.exp(each) for each in (middle, middle - half, middle + half))

    def slopes(self):
        """Return a confidence interval of the slope."""
        half = self._quantile() * self.deviation / math.sqrt(self.spread)
        return self.slope - half, self.slope + half

    def _quantile(self):
        return float(stats.t.ppf((1 + CONFIDENCE) / 2, self.count - 2))


def paired(row, exact):
    """Return the gap of every seed of a row, None where a run of either diverged."""
    return [
        None if None in (one, other) else one / other - 1
        for one, other in zip(row["scores"], exact["scores"], strict=True)
    ]


def power_law(points):
    """Return the `PowerLaw` of points (x, y), or None of fewer than three or where a y is not > 0.

    Least squares of the logarithms.
    """
    if len({x for x, _ in points}) < 2 or len(points) < 3 or min(y for _, y in points) <= 0:
        return None
    x, y = np.log(np.array(points, float)).T
    line = stats.linregress(x, y)
    residuals = y - line.intercept - line.slope * x
    deviation = math.sqrt(float(residuals @ residuals) / (len(x) - 2))
    spread = float(np.sum((x - x.mean()) ** 2))
    whole = (line.slope, line.intercept, x.mean(), spread)
    return PowerLaw(*map(float, whole), len(x), deviation)


def text(gaps):
    """Gaps as text: their mean and deviation in percent; what diverged is said."""
    known = [gap for gap in gaps if gap is not None]
    if not known:
        return "diverged"
    spread = f" ± {100 * statistics.stdev(known):.1f}" if len(known) > 1 else ""
    lost = f" ({len(gaps) - len(known)} diverged)" if len(known) < len(gaps) else ""
    return f"{100 * statistics.fmean(known):+.1f}{spread} %{lost}"
