"""Search among diagnoses: ICD-10-CM codes, the names that train and those that are sought.

The PyPI package ``simple-icd-10-cm`` (extra ``data``) holds every code with its description and,
for some, *inclusion terms* that name the same code otherwise. A model trains on all descriptions
and on part of the terms; the other terms are the queries of validation and test. Nothing is
downloaded.

Of 98,505 codes 51,305 are extended by a seventh character, which tells the encounter or the side;
their names repeat the name of the code that they extend, and no term is one of theirs. They are
left out unless asked for: 47,200 classes remain, and every term.

A name is a set of character trigrams, hashed to a fixed number of features, as the
queries of Spring et al. 2019 (Table 10) are.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from scipy import sparse

from analysis.lab.errors import UsageError
from sketchlab.hashing import buckets, hash_constants

FEATURES = 80_000
FEATURE_SEED = 0
SPLIT_SEED = 0
SHARES = {"validation": 0.2, "test": 0.2}
SPLITS = ("train", *SHARES)


@dataclass(frozen=True)
class Task:
    """Names and the classes that they stand for.

    Attributes
    ----------
    name, digest : str
        Where the names came from, and the first 16 hex digits of their SHA-256.
    classes : int
        The number of classes.
    features : dict of str to scipy.sparse.csr_array, (names, FEATURES), float32
        For each split, the trigrams of its names, every row of Euclidean length one.
    labels : dict of str to ndarray of int64, (names,)
        For each split, the class of each name.
    """

    name: str
    digest: str
    classes: int
    features: dict
    labels: dict

    def summary(self):
        """Return what identifies the task, and its sizes, as plain values."""
        sizes = {split: len(labels) for split, labels in self.labels.items()}
        facts = {"name": self.name, "sha256": self.digest}
        return facts | {"classes": self.classes, "features": FEATURES} | sizes

    def queries(self, split, limit=None):
        """Return features and labels of a split, or of ``limit`` names at even distances."""
        features, labels = self.features[split], self.labels[split]
        if limit is None or limit >= len(labels):
            return features, labels
        chosen = np.linspace(0, len(labels) - 1, limit).astype(np.int64)
        return features[chosen], labels[chosen]


@lru_cache(maxsize=1)
def load(extended=False):
    """Return the `Task` of ICD-10-CM, chapters and blocks included.

    Parameters
    ----------
    extended : bool
        Whether codes with a seventh character are classes too.

    Raises
    ------
    UsageError
        The package is missing.
    """
    descriptions, terms, labels = _catalogue(extended)
    return build("simple-icd-10-cm", descriptions, terms, labels)


def build(name, descriptions, terms, labels):
    """Return the `Task` in which class i is described by ``descriptions[i]``.

    Parameters
    ----------
    name : str
    descriptions : list of str
    terms : list of str
        Other names, each of the class that stands in its place in `labels`.
    labels : list of int
    """
    names, classes = _split(descriptions, terms, np.asarray(labels, np.int64))
    digest = hashlib.sha256("\n".join([*descriptions, *terms]).encode()).hexdigest()[:16]
    features = {split: trigrams(names[split]) for split in SPLITS}
    return Task(name, digest, len(descriptions), features, classes)


def trigrams(names):
    """Return the hashed byte trigrams of some names, each row scaled to length one.

    Names are lower-cased and put between spaces; what counts is which trigrams occur, not how
    often. A trigram is the number b₀·2¹⁶ + b₁·2⁸ + b₂ of its UTF-8 bytes, and the hash that of
    `sketchlab.hashing`.

    Returns
    -------
    scipy.sparse.csr_array, (len(names), FEATURES), float32
    """
    encoded = [f" {name.lower()} ".encode() for name in names]
    text = np.frombuffer(b"".join(encoded), np.uint8).astype(np.int64)
    owner = np.repeat(np.arange(len(encoded)), [len(name) for name in encoded])
    codes = (text[:-2] << 16) | (text[1:-1] << 8) | text[2:]
    inside = owner[:-2] == owner[2:]
    hashed = buckets(codes[inside], hash_constants(FEATURE_SEED, 1), FEATURES)[0]
    places = np.sort(owner[:-2][inside] * FEATURES + hashed)  # np.unique takes 100 times as long
    rows, columns = np.divmod(places[np.diff(places, prepend=-1) > 0], FEATURES)
    counts = np.bincount(rows, minlength=len(names))
    values = (1 / np.sqrt(np.maximum(counts, 1)))[rows].astype(np.float32)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    return sparse.csr_array((values, columns, bounds), (len(names), FEATURES))


def _split(descriptions, terms, labels):
    """Share the terms out; what is sought must not read like a name that was trained on."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(terms))
    sizes = [round(share * len(terms)) for share in SHARES.values()]
    *held_out, trained = np.split(order, np.cumsum(sizes))
    names = {"train": [*descriptions, *(terms[place] for place in trained)]}
    classes = {"train": np.concatenate([np.arange(len(descriptions)), labels[trained]])}
    seen = {name.lower() for name in names["train"]}
    for split, places in zip(SHARES, held_out):
        new = [place for place in places if terms[place].lower() not in seen]
        names[split] = [terms[place] for place in new]
        classes[split] = labels[new]
    return names, classes


def _catalogue(extended):
    """Return the descriptions of the codes, all inclusion terms, and whose each term is."""
    try:
        import simple_icd_10_cm as icd
    except ImportError:
        raise UsageError(
            "the ICD-10-CM codes are not installed: run `pip install sketchlab[data]`"
        ) from None
    codes = [
        code for code in icd.get_all_codes() if extended or not icd.is_extended_subcategory(code)
    ]
    terms = [icd.get_inclusion_term(code) for code in codes]
    labels = np.repeat(np.arange(len(codes)), [len(group) for group in terms])
    return [icd.get_description(code) for code in codes], list(chain(*terms)), labels
