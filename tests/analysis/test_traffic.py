"""The fewest bytes of a step, counted by hand for every store."""

import pytest

import sketchlab as sl
from analysis.theory.traffic import least_bytes, least_bytes_of_sums

N, DIM, K = 3000, 8, 100  # at 5x and depth 3 a sketch has 200 buckets
CS, CMS = sl.CountSketch(compression=5, depth=3), sl.CountMinSketch(compression=5, depth=3)
EXACT = sl.Dense()


@pytest.mark.parametrize(
    ("stores", "numbers"),
    [
        ([], 3 * K * DIM),  # the parameters twice, the gradient once
        ([EXACT], 5 * K * DIM),
        ([EXACT, EXACT], 7 * K * DIM),
        ([CS, CMS], 22 * K * DIM),  # and the gradient once more
        ([EXACT, CMS], 15 * K * DIM),
        ([CMS], 13 * K * DIM),
        ([sl.CountMinSketch(depth=5, conservative=True)], (4 + 15) * K * DIM),
        ([sl.RowWise()], 3 * K * DIM + 2 * K),
        ([sl.Rank1()], 4 * K * DIM + 3 * (K + DIM)),
        ([sl.SM3()], 4 * K * DIM + 3 * (K + DIM)),
        ([sl.Quantized(block=4)], 3 * K * DIM + 2 * K * (2 + 2)),  # 8 bytes of codes, 2 scales
        # 300 rows in a head that a tenth of the active rows are in; 100 buckets for the others
        ([sl.HeadTail(head=0.5, tail=CMS)], 4 * K * DIM + (10 * 2 + 90 * 9) * DIM),
        # ⌊3000·8 / (15·9)⌋ = 177 buckets of 8 + 1 numbers
        ([sl.BucketMean(compression=5, depth=3)], 4 * K * DIM + 9 * K * (DIM + 1)),
    ],
)
def test_a_sparse_step(stores, numbers):
    assert least_bytes(stores, N, DIM, K) == 4 * numbers
    if not any(isinstance(store, sl.Quantized) for store in stores):  # a code is always a byte
        assert least_bytes(stores, N, DIM, K, itemsize=8) == 8 * numbers


@pytest.mark.parametrize(
    ("stores", "numbers"),
    [
        ([EXACT, EXACT], 7 * N * DIM),
        ([CS, CMS], (4 * N + 2 * 9 * 200) * DIM),  # each pass is over the whole sketch, once
        ([sl.RowWise()], 3 * N * DIM + 2 * N),
    ],
)
def test_a_dense_step(stores, numbers):
    assert least_bytes(stores, N, DIM) == 4 * numbers
    assert least_bytes(stores, N, DIM, N) == 4 * numbers


def test_a_store_that_was_not_counted_is_refused():
    with pytest.raises(TypeError, match="Rank1SVD"):
        least_bytes([sl.Rank1SVD()], N, DIM, K)


def test_sums_of_equal_rows():
    # ten gradients of two numbers come in, four go out, each with its row number
    assert least_bytes_of_sums(10, 4, 2) == 14 * (2 * 4 + 8)


def test_numbers_of_two_bytes_count_half():
    half = {"cells": "bfloat16"}
    exact = sl.Dense(**half)
    assert least_bytes([exact, exact], N, DIM, K) == 4 * 3 * K * DIM + 2 * 4 * K * DIM
    # at 5x of the bytes there are 400 buckets, and each row has its own
    sketches = [sl.CountSketch(depth=3, **half), sl.CountMinSketch(depth=3, **half)]
    assert least_bytes(sketches, N, DIM, K) == 4 * 4 * K * DIM + 2 * 18 * K * DIM
