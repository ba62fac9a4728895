"""The sharper convergence theorem of the conservative update, given the hashes (theory §6)."""

import sketchlab as sl
from analysis.checks import convergence
from analysis.checks.claim import Claim
from analysis.theory import bounds


def measure(settings, sequence):
    """Means and bounds of the conservative sketch, for each draw of hash functions."""
    sketch = sl.CountMinSketch(settings["width"], depth=3, conservative=True)
    return convergence.measure(settings, sequence, sketch, bounds.theorem_conservative)


CLAIM = Claim(
    name="theorem-conservative",
    statement="mean ‖∇f‖² of conservatively sketched RMSprop is within the sharper bound, with "
    "maxima for sums",
    source="theory §6",
    expected="holds",
    sizes=convergence.SIZES,
    cells=convergence.cells,
    measure=measure,
    judge=convergence.judge_given_hashes,
    duration={"quick": "3 s", "full": "30 s"},
)
