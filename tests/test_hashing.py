"""Hashes: known answers, agreement with the oracle, and the independence that the theory needs."""

import json
from pathlib import Path

import naive
import numpy as np
import pytest
from scipy import stats

from sketchlab import hashing

VECTORS = Path(__file__).parent / "data" / "hash_vectors.json"

# Draws of the hash functions, and the p-value below which a statistic counts as refuting them.
# Draws are fixed, so the verdicts are too; about a hundred p-values are looked at.
DRAWS = 20_000
REFUTED = 1e-5

# Close, far, a power of two apart (where weak multiplicative hashes fail), and the extremes.
PAIRS = [(0, 1), (1, 2), (41, 42), (0, 2**16), (3, 3 + 2**24), (9, 9 + 2**31), (0, 2**32 - 1)]
PAIRS += [(123_456, 7_654_321), (2**31, 2**32 - 1)]


# ---------------------------------------------------------------- known answers


def test_splitmix64_gives_the_published_sequence():
    """The known answers for seed 1234567 (Rosetta Code, "Pseudo-random numbers/Splitmix64")."""
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert hashing.splitmix64(1234567, 5) == published
    assert naive.splitmix64(1234567, 5) == published


def test_constants_are_the_draws_in_order():
    """Four draws for each j: bucket a, bucket b, sign a, sign b."""
    for seed in (0, 7, 2**64 - 1):
        expected = naive.hash_constants(seed, depth=5)
        assert [tuple(map(int, row)) for row in hashing.hash_constants(seed, 5)] == expected


def test_stored_vectors_are_what_the_library_says():
    """The published file is up to date."""
    assert json.loads(VECTORS.read_text(encoding="utf8")) == hashing.test_vectors()


def test_stored_vectors_are_what_the_oracle_says():
    """A second implementation proves that it agrees, as any third one can."""
    vectors = json.loads(VECTORS.read_text(encoding="utf8"))
    rows, depth = vectors["rows"], vectors["depth"]
    for case in vectors["cases"]:
        seed = int(case["seed"])
        constants = naive.hash_constants(seed, depth)
        assert list(map(int, case["splitmix64"])) == naive.splitmix64(seed, 4 * depth)
        assert case["signs"] == [[naive.sign(i, c, d) for i in rows] for _, _, c, d in constants]
        for width, buckets in case["buckets"].items():
            expected = [
                [naive.bucket(i, a, b, int(width)) for i in rows] for a, b, _, _ in constants
            ]
            assert buckets == expected


def test_any_rows_agree_with_the_oracle():
    """Random rows of every integer type."""
    rng = np.random.default_rng(0)
    for dtype in (np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64):
        top = min(np.iinfo(dtype).max, 2**32 - 1)
        rows = rng.integers(0, top, size=50, endpoint=True, dtype=np.uint64).astype(dtype)
        for width in (1, 3, 1024, 99_991):
            constants = hashing.hash_constants(11, 3)
            expected = naive.hash_constants(11, 3)
            assert hashing.buckets(rows, constants, width).tolist() == [
                [naive.bucket(int(i), a, b, width) for i in rows] for a, b, _, _ in expected
            ]
            assert hashing.signs(rows, constants).tolist() == [
                [naive.sign(int(i), c, d) for i in rows] for _, _, c, d in expected
            ]


def test_halving_the_width_joins_neighbouring_buckets():
    """What makes folding possible."""
    rows, constants = np.arange(1000), hashing.hash_constants(5, 4)
    for width in (2, 6, 1000):
        wide = hashing.buckets(rows, constants, width)
        np.testing.assert_array_equal(hashing.buckets(rows, constants, width // 2), wide // 2)


# ---------------------------------------------------------------- independence over the draws


def draws():
    """Constants of DRAWS hash functions, each from a seed of its own, (DRAWS, 4)."""
    return np.concatenate([hashing.hash_constants(seed, 1) for seed in range(DRAWS)])


@pytest.fixture(scope="module")
def constants():
    """The draws, made once."""
    return draws()


def uniform_p(cells, count):
    """p-value of the chi-square test that `cells` are uniform over range(count)."""
    return stats.chisquare(np.bincount(cells.ravel(), minlength=count)).pvalue


def bucket_pair_p(buckets, constants, pair, width):
    """Are the buckets of two rows jointly uniform on width × width?"""
    first, second = buckets(np.array(pair), constants, width).T
    return uniform_p(first * width + second, width**2)


def sign_pair_p(signs, constants, pair):
    """Is the product of two rows' signs +1 half of the time?"""
    product = np.prod(signs(np.array(pair), constants).astype(int), axis=1)
    return stats.binomtest(int((product == 1).sum()), len(product)).pvalue


def sign_bucket_p(buckets, signs, constants, row, width):
    """Are a row's bucket and sign jointly uniform?"""
    bucket = buckets(np.array([row]), constants, width)[:, 0]
    negative = signs(np.array([row]), constants)[:, 0] < 0
    return uniform_p(2 * bucket + negative, 2 * width)


@pytest.mark.parametrize("width", [2, 7, 16])
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_buckets_of_two_rows_are_independent(constants, pair, width):
    """Strong universality, which every bound on a sketch's variance rests on."""
    assert bucket_pair_p(hashing.buckets, constants, pair, width) > REFUTED


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_signs_of_two_rows_are_independent(constants, pair):
    """Their products have mean zero: collisions in a count sketch cancel."""
    assert sign_pair_p(hashing.signs, constants, pair) > REFUTED


@pytest.mark.parametrize("row", [0, 1, 41, 2**20, 2**32 - 1])
def test_sign_and_bucket_of_a_row_are_independent(constants, row):
    """Otherwise the rows of one bucket would share their signs."""
    assert sign_bucket_p(hashing.buckets, hashing.signs, constants, row, 8) > REFUTED


def test_hash_functions_of_one_seed_are_independent(constants):
    """The layers of a sketch of depth 2 put a row into unrelated buckets, with unrelated signs."""
    layers = np.stack([hashing.hash_constants(seed, 2) for seed in range(DRAWS)])
    for row in (0, 1, 1000):
        first, second = (hashing.buckets([row], layers[:, j], 8)[:, 0] for j in (0, 1))
        assert uniform_p(8 * first + second, 64) > REFUTED
        first, second = (hashing.signs([row], layers[:, j])[:, 0] > 0 for j in (0, 1))
        assert uniform_p(2 * first + second, 4) > REFUTED


# ---------------------------------------------------------------- the statistics refute bad hashes


def without_addend(rows, constants, width):
    """Row 0 always meets bucket 0."""
    zeroed = constants.copy()
    zeroed[:, 1] = 0
    return hashing.buckets(rows, zeroed, width)


def overflowing(rows, constants, width):
    """The product wraps at 32 bits, so rows far apart share their low bits."""
    rows = np.asarray(rows).astype(np.uint64)[None, :]
    low = (constants[:, :1] * rows + constants[:, 1:2]) & np.uint64(2**32 - 1)
    return ((low * np.uint64(width)) >> np.uint64(32)).astype(np.int64)


def low_bits(rows, constants, width):
    """Modulo instead of shift: rows a multiple of a power of two apart always collide."""
    rows = np.asarray(rows).astype(np.uint64)[None, :]
    return ((constants[:, :1] * rows + constants[:, 1:2]) % np.uint64(width)).astype(np.int64)


@pytest.mark.parametrize(
    ("broken", "pair", "width"),
    [
        (without_addend, (0, 1), 7),
        (overflowing, (9, 9 + 2**31), 16),
        (low_bits, (0, 2**16), 16),
    ],
)
def test_bucket_statistic_refutes(constants, broken, pair, width):
    """Three well-known mistakes."""
    assert bucket_pair_p(broken, constants, pair, width) < REFUTED


def test_sign_statistic_refutes(constants):
    """Signs from the lowest bit: rows an even number apart always agree."""

    def parity(rows, constants):
        rows = np.asarray(rows).astype(np.uint64)[None, :]
        odd = (constants[:, 2:3] * rows + constants[:, 3:4]) & np.uint64(1)
        return 1 - 2 * odd.astype(np.int8)

    assert sign_pair_p(parity, constants, (3, 3 + 2**24)) < REFUTED


def test_sign_bucket_statistic_refutes(constants):
    """Signs from the bucket's own constants: the upper half of the buckets is negative."""

    def shared(rows, constants):
        return hashing.signs(rows, constants[:, [2, 3, 0, 1]])

    assert sign_bucket_p(hashing.buckets, shared, constants, 41, 8) < REFUTED
