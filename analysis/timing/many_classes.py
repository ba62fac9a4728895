"""MACH with more classes than a softmax could hold, in a process of its own.

``python -m analysis.timing.many_classes SETTINGS`` prints one line of JSON.

Two halves, measured apart. Training: one classifier takes steps on synthetic names, whose classes
follow a power law and whose features are hashes of the class. Search: queries whose meta-class
probabilities follow a power law too, with the right class's meta-classes first, are answered by the
index and by a scan of all classes. Times are of the processor, which other processes disturb least.
"""

import json
import statistics
import sys
import time

import numpy as np
from scipy import sparse

import sketchlab as sl
from analysis.lab import machine
from analysis.problems import mach as model
from analysis.problems.decoding import Index, scan
from analysis.training.loop import train
from sketchlab.hashing import buckets, hash_constants

WORDS = 30  # features of a name


def measure(settings):
    """Times and bytes of both halves.

    Parameters
    ----------
    settings : dict
        ``classes``, ``classifiers``, ``meta_classes``, ``features``, ``hidden``, ``batch``,
        ``compression`` of V, ``steps``, ``queries``, ``scans``, ``found`` (classes a query),
        ``exponent`` of the power laws, ``seed``.
    """
    rng = np.random.default_rng(settings["seed"])
    constants = hash_constants(settings["seed"], settings["classifiers"])
    trained = _train(settings, constants[:1], rng)
    start = time.process_time()
    index = Index(constants, settings["classes"], settings["meta_classes"])
    built = time.process_time() - start
    return {
        **trained,
        "index_seconds": built,
        "index_bytes": index.nbytes,
        **_search(settings, index, rng),
        "peak_bytes": machine.peak(),
    }


def _train(settings, constants, rng):
    """Milliseconds of a step, and bytes of parameters and of state, of one classifier."""
    sizes = settings["features"], settings["hidden"], settings["meta_classes"]
    parameters = model.initialise(rng, *sizes)
    v = sl.CountMinSketch(compression=settings["compression"], decay="bucket")
    optimizers = [sl.RMSprop(table, 8e-3, v=v) for table in parameters]
    begun, times = [], []

    def gradient():
        labels = power_law(rng, settings["classes"], settings["exponent"], settings["batch"])
        targets = buckets(labels, constants, settings["meta_classes"])[0]
        features = names(labels, settings["features"])
        begun.append(time.process_time())
        return model.gradients(parameters, features, targets)

    for _ in train(optimizers, gradient, settings["steps"] + 1):
        times.append(1e3 * (time.process_time() - begun[-1]))
    return {
        "step_ms": statistics.median(times[1:]),  # the first may compile
        "parameter_bytes": sum(table.nbytes for table in parameters),
        "state_bytes": sum(optimizer.nbytes for optimizer in optimizers),
    }


def _search(settings, index, rng):
    labels = power_law(rng, settings["classes"], settings["exponent"], settings["queries"])
    times, scored, scans, agree, hit = [], [], [], [], []
    for number, label in enumerate(labels):
        answers = answers_for(rng, label, index.constants, settings)
        start = time.process_time()
        found = index.top(answers, settings["found"])
        times.append(1e3 * (time.process_time() - start))
        scored.append(found.scored)
        hit.append(bool((found.classes == label).any()))
        if number < settings["scans"]:
            start = time.process_time()
            every = scan(answers, settings["classes"], index.constants, settings["found"])
            scans.append(1e3 * (time.process_time() - start))
            agree.append(bool(np.array_equal(every.scores, found.scores)))
    return {
        "query_ms": statistics.median(times),
        "slowest_query_ms": max(times),
        "scored": statistics.median(scored),
        "scan_ms": statistics.median(scans),
        "scans_agree": all(agree),
        "right_found": sum(hit),
    }


def power_law(rng, size, exponent, count):
    """Numbers below `size`, the r-th with probability about proportional to r^−exponent (≠ 1)."""
    power = 1 - exponent
    inverse = (1 + rng.random(count) * ((size + 1) ** power - 1)) ** (1 / power)
    return np.minimum(inverse.astype(np.int64) - 1, size - 1)


def names(labels, features):
    """Feature vectors of length one: `WORDS` hashes of the class, (labels, features)."""
    columns = buckets(labels, hash_constants(1, WORDS), features).T
    bounds = np.arange(len(labels) + 1) * WORDS
    values = np.full(columns.size, 1 / np.sqrt(WORDS), np.float32)
    made = sparse.csr_array((values, columns.ravel(), bounds), (len(labels), features))
    made.sum_duplicates()
    return made


def answers_for(rng, label, constants, settings):
    """Probabilities (classifiers, meta-classes): a power law, the right meta-class first."""
    number = settings["meta_classes"]
    law = np.arange(1, number + 1, dtype=np.float32) ** np.float32(-settings["exponent"])
    answers = np.empty((len(constants), number), np.float32)
    right = buckets([label], constants, number)[:, 0]
    for answer, first in zip(answers, right):
        order = rng.permutation(number)
        place = np.flatnonzero(order == first)[0]
        order[0], order[place] = order[place], order[0]
        answer[order] = law / law.sum()
    return answers


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
