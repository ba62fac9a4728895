"""The mended convergence theorem for the linear sketch, given the hash functions (theory §3)."""

import sketchlab as sl
from analysis.checks import convergence
from analysis.checks.claim import Claim
from analysis.theory import bounds


def measure(settings, sequence):
    """Means and bounds of the linear sketch, for each draw of hash functions."""
    sketch = sl.CountMinSketch(settings["width"], depth=3, decay="global")
    return convergence.measure(settings, sequence, sketch, bounds.theorem_linear)


CLAIM = Claim(
    name="theorem-any-stream",
    statement="mean ‖∇f‖² of linearly sketched RMSprop is within the bound that its hashes give",
    source="theory §3, after Zaheer et al. 2018",
    expected="holds",
    sizes=convergence.SIZES,
    cells=convergence.cells,
    measure=measure,
    judge=convergence.judge_given_hashes,
    duration={"quick": "3 s", "full": "40 s"},
)
