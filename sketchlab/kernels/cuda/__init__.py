"""The CUDA backend, with numba-cuda: the same rules and stores on a GPU.

========================  =======================================================================
``backend``               `CUDA`: the backend of one optimizer
``step``                  a step prepared once: what is launched, in which order
``plans``                 how each kind of store takes its step
``sketch_plans``          the same for sketches
``move``                  the kernel that reads moments, applies the rule and moves parameters
``advance``, ``factors``  the kernels that advance sketches and rank-one stores
``bucket``, ``owned``     sketches whose cells decay by active rows, or are owned by threads
``row_wise``, ``sm3``,    views and kernels of the stores of these names
``quantized``, ``means``
``shrunken``              what is measured before a step of a shrunken sketch
``views``, ``active``     stores and active rows as kernels see them, each kind a type
``sorting``, ``groups``   rows sorted in one launch; sums of the gradients of equal ones
``loops``                 grid-stride loops, sums over threads, a barrier for the whole grid
``launcher``              kernels prepared, streams ordered, grids that fill the GPU
``arguments``             the arguments of kernels, in memory, changed in place
``memory``, ``arrays``,   device memory; the callers' arrays, those of stores, and their checks
``inputs``, ``streams``
``compiled``              kernels compiled by numba-cuda and kept on disk
``bindings``              the driver: launches, events, copies; ``simulation``: the same without
``driver``                numba-cuda itself, and its errors
========================  =======================================================================
"""

from sketchlab.kernels.cuda.backend import CUDA

__all__ = ["CUDA"]
