"""The mended convergence theorems for the linear sketch, given the hash functions (theory §3).

The bound is the smallest of three that hold: the additive one, theorem A and theorem B.
"""

import sketchlab as sl
from analysis.checks import convergence
from analysis.checks.claim import Claim
from analysis.theory import descent


def measure(settings, sequence):
    """Means and bounds of the linear sketch, for each draw of hash functions."""
    sketch = sl.CountMinSketch(settings["width"], depth=3, decay="global")
    return convergence.measure(settings, sequence, sketch, descent.theorem_linear)


CLAIM = Claim(
    name="theorem-any-stream",
    statement="mean ‖∇f‖² of linearly sketched RMSprop is within the bound that its hashes give, "
    "and without noise at least a tenth of it",
    source="theory §3: theorems A and B, after Zaheer et al. 2018",
    expected="holds",
    sizes=convergence.SIZES,
    runs=convergence.runs,
    measure=measure,
    judge=convergence.judge,
    duration={"quick": "15 s", "full": "2 min"},
)
