"""Clipping by the norm of all gradients, sparse ones among them."""

from collections.abc import Iterable

import torch

from sketchlab.errors import InputError

__all__ = ["clip_grad_norm_"]


@torch.no_grad()
def clip_grad_norm_(
    parameters: torch.Tensor | Iterable[torch.Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> torch.Tensor:
    """Scale all gradients so that their norm, taken together, is at most `max_norm`.

    As ``torch.nn.utils.clip_grad_norm_``, which fails on sparse gradients on the CPU. A norm needs
    equal rows summed, so a sparse gradient that is not coalesced is replaced by one that is.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient are passed over.
    max_norm : float
    norm_type : float
        Of the p-norm; ``inf`` for the largest magnitude.
    error_if_nonfinite : bool
        Raise where the norm is NaN or infinite, instead of scaling by it.

    Returns
    -------
    Tensor
        The norm of all gradients before they were scaled.

    Raises
    ------
    InputError
        If the norm is not finite and `error_if_nonfinite` is set. Nothing has been scaled then.

    Examples
    --------
    >>> import torch, sketchlab.torch as slt
    >>> table = torch.nn.Embedding(10, 2, sparse=True)
    >>> table(torch.tensor([3, 3])).sum().backward()
    >>> slt.clip_grad_norm_(table.parameters(), max_norm=1.0)
    tensor(2.8284)
    >>> table.weight.grad.coalesce().values()
    tensor([[0.7071, 0.7071]])
    """
    parameters = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
    values = [_summed(parameter) for parameter in parameters if parameter.grad is not None]
    if not values:
        return torch.tensor(0.0)
    norms = [torch.linalg.vector_norm(each, norm_type).to(values[0]) for each in values]
    total = torch.linalg.vector_norm(torch.stack(norms), norm_type)
    if error_if_nonfinite and not total.isfinite():
        raise InputError(
            f"the norm of the gradients is {total}: skip this step, or set error_if_nonfinite=False"
        )
    scale = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for each in values:
        each.mul_(scale.to(each))
    return total


def _summed(parameter):
    """The numbers of a gradient, those of equal rows summed."""
    gradient = parameter.grad
    if not gradient.is_sparse:
        return gradient
    if not gradient.is_coalesced():
        gradient = parameter.grad = gradient.coalesce()
    return gradient._values()
