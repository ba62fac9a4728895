"""The CUDA backend, with numba-cuda: the same rules and stores on a GPU.

========================  =======================================================================
``backend``               `CUDA`: the backend of one optimizer
``plans``                 how each kind of store takes its step
``move``                  the kernel that reads moments, applies the rule and moves parameters
``advance``, ``factors``  the kernels that advance sketches and rank-one stores
``row_wise``, ``sm3``,    views and kernels of the stores of these names
``quantized``, ``means``
``shrunken``              what is measured before a step of a shrunken sketch
``views``, ``active``     stores and active rows as kernels see them, each kind a type
``sorting``               a stable radix sort, which groups equal rows
``arrays``, ``inputs``    device arrays: the callers', and those of stores
``driver``                numba-cuda itself, its errors, and how kernels are launched
========================  =======================================================================
"""

from sketchlab.kernels.cuda.backend import CUDA

__all__ = ["CUDA"]
