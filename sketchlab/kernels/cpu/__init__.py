"""The compiled CPU backend: rule × store loops in Numba, in parallel."""

from sketchlab.kernels.cpu.backend import CPU

__all__ = ["CPU"]
