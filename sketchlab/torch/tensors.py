"""Tensors as the arrays that the library's backends work on: the same memory, nothing copied."""

from typing import NamedTuple

import torch

from sketchlab.errors import InputError

__all__ = [
    "Gradient",
    "backend_of",
    "check_parameter",
    "gradient_of",
    "hold_until_done",
    "memory_order",
    "view_of",
]

_FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
_DEVICES = ("cpu", "cuda")  # and the backends of these names


class Gradient(NamedTuple):
    """One parameter's gradient: as the backend takes it, and the tensors whose memory that is.

    `rows` and `indices` are None where it is dense.
    """

    grads: object
    rows: object
    values: torch.Tensor
    indices: torch.Tensor | None


def check_parameter(parameter):
    """Refuse what cannot be updated in place as rows of columns, with the reason.

    Raises
    ------
    InputError
    """
    kind = type(parameter).__name__
    if kind in ("DTensor", "FlatParameter") or getattr(parameter, "_fsdp_flattened", False):
        raise InputError(
            f"a {kind} whose rows are shared out between processes (FSDP, DTensor): a store cannot "
            "be split by rows yet; use DistributedDataParallel, or another optimizer for this one"
        )
    if type(parameter) not in (torch.Tensor, torch.nn.Parameter):
        raise InputError(
            f"a {kind}: give plain tensors (a lazy module gets them when it is first run)"
        )
    if parameter.dtype not in _FLOATS:
        raise InputError(
            f"dtype {parameter.dtype}: float32, float64, bfloat16 and float16 are supported"
        )
    if parameter.device.type not in _DEVICES:
        raise InputError(
            f"on the device {parameter.device}: parameters on cpu and cuda are supported, move "
            "the model there before its optimizer is built"
        )
    if parameter.layout != torch.strided:
        raise InputError(f"layout {parameter.layout}: give a dense parameter")
    order = memory_order(parameter)
    if order is not None and not parameter.permute(order).is_contiguous():
        raise InputError(
            f"shape {tuple(parameter.shape)} with strides {parameter.stride()} leaves gaps or "
            "overlaps in memory, so it cannot be updated in place: give parameter.contiguous()"
        )


def backend_of(parameter):
    """Name of the backend for a parameter's device."""
    return parameter.device.type


def memory_order(tensor):
    """The dimensions as they lie in memory, the outermost first; None where that is their order."""
    if tensor.is_contiguous():
        return None
    return tuple(sorted(range(tensor.ndim), key=lambda axis: (-tensor.stride(axis), axis)))


def view_of(tensor, order):
    """The numbers of a detached tensor as the backend's array, (n, ...); one number as a row."""
    if order is not None:
        tensor = tensor.permute(order)
    elif not tensor.ndim:
        tensor = tensor.reshape(1)
    return tensor if tensor.is_cuda else tensor.numpy()


def gradient_of(parameter, order, dtype, negative):
    """The gradient of a parameter.

    Parameters
    ----------
    parameter : Tensor
    order : tuple of int, or None
        From `memory_order`.
    dtype : torch.dtype
        What the step computes in.
    negative : bool
        Turn it round.

    Raises
    ------
    InputError
        If it is sparse otherwise than by rows, or by rows that memory is not laid out by.
    """
    values, indices = parameter.grad, None
    if values.requires_grad:  # it has been made to be differentiated
        values = values.detach()
    if values.is_sparse:
        _check_sparse(values, order)
        values, indices = values._values(), values._indices()
    if negative or values.dtype != dtype:
        values = -values.to(dtype) if negative else values.to(dtype)
    if values.is_cuda:
        values = view_of(values, order).contiguous()
        rows = None if indices is None else indices[0]
        return Gradient(values, rows, values, indices)
    rows = None if indices is None else indices.numpy()[0]
    return Gradient(view_of(values, order), rows, values, indices)


def _check_sparse(gradient, order):
    if gradient.sparse_dim() != 1:
        raise InputError(
            f"its gradient is sparse in {gradient.sparse_dim()} dimensions: sparse in the first "
            "one, by rows, is needed; give gradient.to_dense()"
        )
    if order is not None and order[0] != 0:
        raise InputError(
            "its gradient is sparse by rows, its memory is laid out otherwise (a transposed "
            "parameter): give parameter.contiguous(), or dense gradients"
        )


def hold_until_done(gradient):
    """Keep a gradient's memory from other streams until the step, still running, is done."""
    if not gradient.values.is_cuda:
        return
    stream = torch.cuda.current_stream(gradient.values.device)
    for tensor in (gradient.values, gradient.indices):
        if tensor is not None:
            tensor.record_stream(stream)
