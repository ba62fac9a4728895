"""How closely two computations of one recursion must agree, stated once for all the tests."""

import numpy as np


def tolerance(dtype, steps, scale):
    """Largest difference allowed after `steps` steps of a recursion over values up to `scale`.

    A step rounds each value a handful of times (decay, addition, square, root, division and, in a
    sketch, one addition for each row in the bucket), each time by at most eps/2 of the scale. The
    recursions under test do not amplify what is there, so errors add up: four half-eps a step is
    ample for rounding, which largely cancels, and far below what any slip in an algorithm makes.
    """
    return 2 * np.finfo(dtype).eps * max(steps, 8) * scale


def assert_agree(actual, expected, dtype, steps, scale, what):
    """Raise unless `actual` is `expected` (float64) within rounding in `dtype`."""
    actual = np.asarray(actual)
    assert actual.dtype == dtype, f"{what}: dtype {actual.dtype}, expected {dtype}"
    assert actual.shape == np.shape(expected), f"{what}: shape {actual.shape}"
    error = np.abs(actual.astype(np.float64) - expected)
    allowed = tolerance(dtype, steps, scale)
    assert np.all(error <= allowed), (
        f"{what}: off by {np.max(error):.3g} where {allowed:.3g} is allowed"
        f" ({steps} steps, {dtype}), first at {np.argwhere(~(error <= allowed))[0]}"
    )
