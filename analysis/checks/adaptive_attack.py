"""A stream that is chosen by what the optimizer does breaks count-min's bound (theory §1).

The attacker gives gradients of bounded size, and sees one parameter: how far x_0 moves. With η, ε
and the gradient that it gave, this tells it v̂_0, and so whether a set of other rows, given a burst
together, fills *all* of row 0's buckets. By halving it finds a set of at most `depth` rows that
does (each row that is kept fills a bucket that those before it do not), and from then on gives the
large gradients to these alone. Row 0's answer is then off by 1/depth of ‖x‖₁, where the bound
allows more than e/w with probability e^(−v) only. Between two tests it waits until the last burst
has faded. It never sees the hash functions, so that a secret seed does not help, and neither does
the conservative update.

The same last vector in a sketch with other hash functions is what the bound is proved for.
"""

import numpy as np

import sketchlab as sl
from analysis.checks.claim import Claim
from analysis.checks.draws import allocate, any_size, hash_seed
from analysis.checks.rates import judge_rates
from analysis.theory import bounds
from analysis.training.theorem import UncorrectedRMSprop

FORMS = {"linear": {"decay": "global"}, "conservative": {"conservative": True}}
BETA, EPS, RATE = 0.9, 1e-3, 1.0
#: Gradient of row 0 in every step, and of the other rows in a burst.
_OWN, _BURST = 0.01, 1.0
#: Steps after which a burst has faded to less than 1/500.
_WAIT = 60


class Attacker:
    """Gives the gradients of a run, and sees the movements of x_0."""

    def __init__(self, description, n):
        self._table, self.exact, self.steps = np.zeros((n, 1)), np.zeros(n), 0
        with any_size():
            self._optimizer = UncorrectedRMSprop(self._table, RATE, BETA, EPS, description)
        self.store = self._optimizer.v

    def step(self, others=()):
        """Give row 0 its gradient and other rows a burst; return the v̂_0 that x_0 shows."""
        rows = np.r_[0, np.asarray(others, int)]
        gradients = np.r_[_OWN, np.full(len(others), _BURST)]
        before = self._table[0, 0]
        self._optimizer.step(gradients[:, None], rows=rows)
        self.exact *= BETA
        self.exact[rows] += (1 - BETA) * gradients**2
        self.steps += 1
        return (RATE * _OWN / (before - self._table[0, 0]) - EPS) ** 2

    def covers(self, others):
        """Whether a burst of these rows reaches all of row 0's buckets."""
        answer = self.step(others)
        for _ in range(_WAIT):
            self.step()
        return answer > (1 - BETA) * _BURST**2 / 2

    def cover(self):
        """A set of rows that covers row 0's buckets, each of which is needed."""
        kept, candidates = [], np.arange(1, len(self.exact))
        while not (kept and self.covers(kept)):
            needed = self._smallest(kept, candidates)
            if needed == 0:  # not even all of them do
                break
            kept.append(candidates[needed - 1])
            candidates = candidates[: needed - 1]
        return kept

    def _smallest(self, kept, candidates):
        """How many of the candidates it takes to cover, with those kept; 0 if all do not."""
        low, high = 1, len(candidates) + 1
        while low < high:
            middle = (low + high) // 2
            if self.covers([*kept, *candidates[:middle]]):
                high = middle
            else:
                low = middle + 1
        return low if low <= len(candidates) else 0


def runs(n, width, depth, draws, groups):
    """One run for each form and group of draws of hash functions."""
    return [
        {"form": form, "n": n, "width": width, "depth": depth, "draws": draws, "group": group}
        for form in FORMS
        for group in range(groups)
    ]


def measure(settings, sequence):
    """Excess of row 0's answer in the end, as a share of ‖x‖₁, of every draw."""
    n, width, depth = settings["n"], settings["width"], settings["depth"]
    sketch = sl.CountMinSketch(width, depth, **FORMS[settings["form"]])
    excess, foreign, steps = [], [], []
    for child in sequence.spawn(settings["draws"]):
        own, other = child.spawn(2)
        attacker = Attacker(sketch.with_seed(hash_seed(own)), n)
        cover = attacker.cover()
        for _ in range(_WAIT):
            attacker.step(cover)
        excess.append(_excess(attacker.store, attacker.exact))
        unknown = sl.CountMinSketch(width, depth, decay="global", seed=hash_seed(other))
        unknown = allocate(unknown, n)
        unknown.update(np.arange(n), attacker.exact[:, None])
        foreign.append(_excess(unknown, attacker.exact))
        steps.append(attacker.steps)
    limit = np.e / width
    return {
        "failures": {"own": int(np.sum(np.array(excess) > limit))},
        "bounds": {"own": bounds.count_min_failure(width, depth, limit)},
        "foreign": int(np.sum(np.array(foreign) > limit)),
        "excess": excess,
        "steps": steps,
    }


def _excess(store, exact):
    return float((store.query([0])[0, 0] - exact[0]) / exact.sum())


def judge(measurements):
    """The share of draws in which the attack succeeds against e^(−v)."""
    finding = judge_rates(_pooled(measurements))
    draws = sum(settings["draws"] for settings, _ in measurements)
    excess = np.concatenate([result["excess"] for _, result in measurements])
    steps = np.concatenate([result["steps"] for _, result in measurements])
    failed, foreign = (
        sum(count(result) for _, result in measurements)
        for count in (lambda result: result["failures"]["own"], lambda result: result["foreign"])
    )
    settings = measurements[0][0]
    return finding._replace(
        note=f"x_0 alone shows it: after {np.mean(steps):,.0f} steps (n = {settings['n']}, w = "
        f"{settings['width']}, v = {settings['depth']}) row 0 is off by {np.median(excess):.3f} of "
        f"‖x‖₁, allowed e/w = {np.e / settings['width']:.3f}, in {failed} of {draws} draws; the "
        f"same vectors under other hash functions in {foreign}",
        curves=finding.curves | {"excess": excess.tolist()},
    )


def _pooled(measurements):
    """Counts of each form added up over groups of draws."""
    pooled = {}
    for settings, result in measurements:
        draws, failures = pooled.get(settings["form"], (0, 0))
        failures += result["failures"]["own"]
        pooled[settings["form"]] = draws + settings["draws"], failures
    allowed = measurements[0][1]["bounds"]
    return [
        ({"form": form, "draws": draws}, {"failures": {"own": failures}, "bounds": allowed})
        for form, (draws, failures) in pooled.items()
    ]


CLAIM = Claim(
    name="adaptive-attack",
    statement="count-min's bound, e^(−v), on the optimizer's own stream whatever the gradients do",
    source="Cormode & Muthukrishnan 2005 prove it for oblivious streams; theory §1",
    expected="refuted",
    sizes={
        "tiny": {"n": 60, "width": 16, "depth": 2, "draws": 10, "groups": 1},
        "quick": {"n": 200, "width": 30, "depth": 3, "draws": 10, "groups": 2},
        "full": {"n": 500, "width": 40, "depth": 3, "draws": 10, "groups": 4},
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "8 s", "full": "30 s"},
)
