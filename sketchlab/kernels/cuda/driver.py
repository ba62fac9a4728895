"""The import of numba-cuda, and errors of CUDA as one-sentence messages.

Plain numba-cuda without a toolkit fails to import with a RuntimeError, and a machine may lack a
driver, a GPU or a compiler. The other modules import ``cuda`` from this one, so that they can be
imported, read and documented on any machine; `require` says what is missing when the backend is
made.
"""

from contextlib import contextmanager, suppress
from importlib import metadata

import numpy as np

from sketchlab.errors import BackendError

try:
    from numba import cuda

    _REASON = None
except Exception as error:  # ImportError, RuntimeError and what a damaged toolkit may raise
    cuda, _REASON = None, error  # type: ignore[assignment]

__all__ = ["compiling", "cuda", "device", "failed", "guarded", "require", "simulated"]

_OUT_OF_MEMORY, _INVALID_CODE = "OUT_OF_MEMORY", "ERROR_INVALID_IR"
_MISSING_IN_NUMPY = "module 'numpy' has no attribute"


def device(function):
    """A device function that names ``cuda`` and is called from the kernels of another module."""
    return function if cuda is None else cuda.jit(device=True)(function)


def simulated():
    """Whether kernels run in numba-cuda's simulator."""
    return cuda is not None and bool(cuda.config.ENABLE_CUDASIM)


def require():
    """Raise a `BackendError` that says what is missing, when kernels cannot run here."""
    if cuda is None:
        raise BackendError(
            f'backend="cuda" needs numba-cuda and a CUDA toolkit ({_in_short(_REASON)}): '
            "pip install 'sketchlab[cuda13]', or 'sketchlab[cuda12]' for an older driver"
        )
    if simulated():
        return
    try:
        cuda.current_context()
        driver = cuda.cudadrv.driver.driver.get_version()
    except Exception as error:
        raise BackendError(
            f"no usable NVIDIA driver and GPU ({_in_short(error)}): install or update the "
            'driver, or use backend="cpu"'
        ) from error
    try:
        toolkit = cuda.runtime.get_version()
    except Exception as error:
        raise BackendError(
            f"there is a GPU, but NVRTC of the CUDA toolkit is missing ({_in_short(error)}): "
            "pip install 'sketchlab[cuda13]', or 'sketchlab[cuda12]' for an older driver"
        ) from error
    if driver[0] < toolkit[0]:
        raise BackendError(
            f"the NVIDIA driver is too old: it runs CUDA {driver[0]}.{driver[1]}, the installed "
            f"toolkit is {toolkit[0]}.{toolkit[1]}: update the driver, or install "
            "'sketchlab[cuda12]'"
        )


def failed(reason, cause=None):
    """Raise a `BackendError` for what the driver or numba-cuda reports."""
    if _OUT_OF_MEMORY in reason:
        raise BackendError(
            "the GPU is out of memory: free arrays, use fewer rows a step or a smaller sketch "
            f"({reason}); the optimizer is unchanged"
        ) from cause
    raise BackendError(
        f"CUDA failed ({reason}): check that driver and toolkit fit, see python -m numba -s"
    ) from cause


def guarded(function, *arguments, **settings):
    """Call into numba-cuda; its failures come out as a `BackendError`."""
    try:
        return function(*arguments, **settings)
    except Exception as error:
        if _OUT_OF_MEMORY in str(error) or _reported_by_cuda(error):
            failed(_in_short(error), error)
        raise


@contextmanager
def compiling():
    """Kernels are compiled inside the block; failures come out as a `BackendError`.

    A compiler and a linker of different toolkits fail with messages about the version of the code
    between them, which is none that a user has heard of.
    """
    try:
        yield
    except Exception as error:
        found = _toolkit_packages()
        if len({version.rsplit(".", 1)[0] for version in found.values()}) > 1:
            listed = ", ".join(f"{name} {version}" for name, version in found.items())
            raise BackendError(
                f"parts of different CUDA toolkits are installed ({listed}), which cannot compile "
                f"a kernel together ({_in_short(error)}): install all of them in one version"
            ) from error
        if _MISSING_IN_NUMPY in str(error):
            raise BackendError(
                f"numba-cuda {metadata.version('numba-cuda')} does not work with NumPy "
                f"{np.__version__} ({_in_short(error)}): pip install 'numpy<2.5'"
            ) from error
        if _INVALID_CODE in str(error):
            raise BackendError(
                f"the compiler of this CUDA toolkit refuses a kernel ({_in_short(error)}): that of "
                "CUDA 12 cannot add floats by atomics for compute capability 10 and above, install "
                "'sketchlab[cuda13]'"
            ) from error
        if _reported_by_cuda(error):
            failed(_in_short(error), error)
        raise


def _toolkit_packages():
    """Names and versions (major.minor.patch) of the packages that compile and link, from pip."""
    names = ("nvidia-nvvm", "nvidia-cuda-nvcc", "nvidia-cuda-nvrtc", "nvidia-nvjitlink")
    found = {}
    for name in [name + suffix for name in names for suffix in ("", "-cu12")]:
        with suppress(metadata.PackageNotFoundError):
            found[name] = ".".join(metadata.version(name).split(".")[:3])
    return found


def _reported_by_cuda(error):
    """Whether an exception is one by which numba-cuda or NVIDIA's packages report a failure."""
    homes = ("numba.cuda.cudadrv", "cuda.")
    return any(cls.__module__.startswith(homes) for cls in type(error).__mro__)


def _in_short(error):
    """An error's message in one line."""
    return " ".join(str(error).split())[:160].rstrip(".:,;- ") or type(error).__name__
