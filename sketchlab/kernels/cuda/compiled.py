"""Kernels compiled for the current device, by numba-cuda, and kept on disk.

Compiling takes about half a second a kernel; what comes out is kept beside the kernels of the CPU.
This is the only file that uses what numba-cuda does not document: how it compiles a kernel to
machine code without loading it (`_Kernel`, its `_codelibrary` and `entry_name`).
"""

import warnings
from functools import cache

from numba import types

from sketchlab.kernels.compile import KernelFiles
from sketchlab.kernels.cuda.arguments import example
from sketchlab.kernels.cuda.driver import compiling, cuda
from sketchlab.kernels.numba_private import class_of

__all__ = ["compiled", "signature_of"]

_MACHINE = slice(18, 20)  # of an ELF file's header: which machine its code is for
_CUDA = (190).to_bytes(2, "little")
_OURS = "sketchlab."


def signature_of(arguments):
    """Numba's types of a kernel's arguments."""
    from numba.cuda.typing.typeof import typeof

    return tuple(map(typeof, example(arguments)))


@cache
def compiled(function, signature, capability):
    """Machine code of a kernel for the current device, compiled where it is not kept.

    Parameters
    ----------
    function : callable
    signature : tuple
        See `signature_of`.
    capability : tuple of int
        Of the current device.

    Returns
    -------
    cubin : bytes
    name : str
        Of the kernel in it.
    """
    files, key = KernelFiles(function), (signature, capability, _versions())
    for content in files.contents(key):
        name, cubin = content.split(b"\0", 1)
        return cubin, name.decode()
    with compiling():
        cubin, name = _machine_code(function, signature)
    if cubin[_MACHINE] == _CUDA and _made_of_ours(signature):
        files.keep(key, name.encode() + b"\0" + cubin)
    return cubin, name


@cache
def _versions():
    """Of what compiles: numba-cuda and the toolkit."""
    import numba_cuda

    return numba_cuda.__version__, cuda.runtime.get_version()


def _made_of_ours(signature):
    """Whether all that the kernel runs is in the package, whose sources name the folder."""
    for kind in signature:
        cls = class_of(kind)
        if cls is not None and not cls.__module__.startswith(_OURS):
            return False
        if isinstance(kind, types.BaseTuple) and not _made_of_ours(kind.types):
            return False
    return True


def _machine_code(function, signature):
    """What the linker makes of a kernel for the current device, and the kernel's name in it."""
    from numba.cuda.dispatcher import _Kernel

    kernel = _Kernel(function, signature, **cuda.jit(function).targetoptions)
    with warnings.catch_warnings():  # the driver's own linker serves as well
        warnings.filterwarnings("ignore", message=".*nvjitlink is not available")
        return bytes(kernel._codelibrary.get_cubin().code), kernel.entry_name
