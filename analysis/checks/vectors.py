"""Vectors whose entries follow a power law, a normal distribution, or are all alike."""

import numpy as np


def power_law(n, exponent):
    """x_i = i^(−exponent) for i = 1 … n; an exponent of 0 makes all entries alike."""
    return np.arange(1, n + 1, dtype=float) ** -exponent


def named(name, n, generator):
    """The vector of a name: ``"gaussian"``, or a Zipf exponent as a number."""
    return generator.standard_normal(n) if name == "gaussian" else power_law(n, float(name))
