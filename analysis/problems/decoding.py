"""The classes that MACH scores highest, without scoring them all.

An inverted index lists the classes of every meta-class. The classes that are in one of the T
likeliest meta-classes of some classifier are scored; no other class can score more than the sum of
the probabilities that come next, so the answer is known to be right once the last of the best
classes scores as much, and T is doubled until it does (the threshold algorithm of Fagin, Lotem and
Naor 2003). The meta-class of a class is computed from its hash, never stored.
"""

from typing import NamedTuple

import numpy as np

from sketchlab.hashing import buckets

CHUNK = 2**20


class Found(NamedTuple):
    """The best classes, their summed probabilities, and how many classes were scored."""

    classes: np.ndarray
    scores: np.ndarray
    scored: int


class Index:
    """The classes of every meta-class, under every classifier.

    Parameters
    ----------
    constants : ndarray of uint64, (classifiers, 4)
        Of the hash functions, from `sketchlab.hashing.hash_constants`.
    classes, meta_classes : int
        Their numbers, at most 2³² and 2¹⁶.
    """

    def __init__(self, constants, classes, meta_classes):
        self.constants, self.meta_classes = constants, meta_classes
        self.listed = np.empty((len(constants), classes), np.uint32)
        self.starts = np.zeros((len(constants), meta_classes + 1), np.int64)
        for number, one in enumerate(constants):
            members = self._members(one[None], classes)
            self.listed[number] = np.argsort(members, kind="stable")
            counts = np.bincount(members, minlength=meta_classes)
            np.cumsum(counts, out=self.starts[number, 1:])

    @property
    def nbytes(self):
        """Bytes of the lists."""
        return self.listed.nbytes + self.starts.nbytes

    def top(self, answers, count):
        """Return the `count` best classes of one query as `Found`, best first.

        Parameters
        ----------
        answers : ndarray, (classifiers, meta-classes)
            Probabilities of the meta-classes.
        count : int
        """
        likeliest = np.argsort(-answers, axis=1)
        width = 1
        while True:
            candidates = self._candidates(likeliest[:, :width])
            scores = score(answers, candidates, self.constants)
            found = _best(candidates, scores, count)
            if width >= self.meta_classes:
                return found
            elsewhere = np.take_along_axis(answers, likeliest[:, width : width + 1], axis=1).sum()
            if len(found.classes) == count and found.scores[-1] >= elsewhere:
                return found
            width *= 2

    def _candidates(self, likeliest):
        lists = [
            listed[starts[one] : starts[one + 1]]
            for listed, starts, likely in zip(self.listed, self.starts, likeliest)
            for one in likely
        ]
        together = np.sort(np.concatenate(lists))
        return together[np.diff(together, prepend=np.int64(-1)) != 0]

    def _members(self, constants, classes):
        members = np.empty(classes, np.uint16)
        for begin in range(0, classes, CHUNK):
            rows = np.arange(begin, min(begin + CHUNK, classes))
            members[rows[0] : rows[-1] + 1] = buckets(rows, constants, self.meta_classes)[0]
        return members


def score(answers, classes, constants):
    """Return the summed probabilities of some classes, (classes,)."""
    members = buckets(classes, constants, answers.shape[1])
    return np.take_along_axis(answers, members, axis=1).sum(axis=0)


def scan(answers, classes, constants, count):
    """Return the best classes of one query from the scores of all, chunk by chunk."""
    best = Found(np.empty(0, np.int64), np.empty(0, answers.dtype), 0)
    for begin in range(0, classes, CHUNK):
        rows = np.arange(begin, min(begin + CHUNK, classes))
        merged = np.concatenate([best.classes, rows])
        scores = np.concatenate([best.scores, score(answers, rows, constants)])
        best = _best(merged, scores, count)
    return best._replace(scored=classes)


def _best(classes, scores, count):
    chosen = np.argpartition(-scores, min(count, len(scores)) - 1)[:count]
    chosen = chosen[np.lexsort((classes[chosen], -scores[chosen]))]
    return Found(classes[chosen].astype(np.int64), scores[chosen], len(scores))
