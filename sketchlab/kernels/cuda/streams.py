"""The streams that arrays come from, as the driver's numbers."""

import sys

from sketchlab.kernels.cuda.driver import simulated
from sketchlab.kernels.cuda.launcher import DEFAULT_STREAM

__all__ = ["hold_for", "is_tensor", "number_of", "stream_of"]


def is_tensor(array):
    """Whether an array is PyTorch's, which is not imported for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def stream_of(array):
    """The stream that an array's contents come from, as a number; None where nothing names it.

    A PyTorch tensor does not say: what PyTorch works on now is its stream.
    """
    if simulated():
        return None
    if is_tensor(array):
        current = sys.modules["torch"].cuda.current_stream(array.device)
        return current.cuda_stream or DEFAULT_STREAM
    interface = getattr(array, "__cuda_array_interface__", None) or {}
    return interface.get("stream") or None


def hold_for(stream, named, *arrays):
    """Keep PyTorch from using the memory of tensors again before a stream is done with them.

    That is the tensors' own affair where the stream is the one that PyTorch works on, `named`.
    """
    if stream != named:
        for tensor in filter(is_tensor, arrays):
            external = sys.modules["torch"].cuda.ExternalStream(stream, device=tensor.device)
            tensor.record_stream(external)


def number_of(stream):
    """A stream as the driver's number: a number, None, or a stream of CuPy, PyTorch, numba-cuda."""
    if simulated():
        return DEFAULT_STREAM
    if hasattr(stream, "__cuda_stream__"):
        stream = stream.__cuda_stream__()[1]
    for name in ("cuda_stream", "ptr", "handle"):
        stream = getattr(stream, name, stream)
    return int(stream or 0) or DEFAULT_STREAM
