"""State in and out, in the form that PyTorch's optimizers give it."""

from collections.abc import Mapping

from sketchlab.errors import CheckpointError
from sketchlab.stores import Description

__all__ = ["pack", "unpack"]


def pack(optimizer):
    """The state of an optimizer: ``"state"`` by the parameters' numbers, and ``"param_groups"``."""
    places, state, groups = {}, {}, []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            places.setdefault(parameter, len(places))
        plain = {name: _plain(option) for name, option in group.items() if name != "params"}
        groups.append({**plain, "params": [places[parameter] for parameter in group["params"]]})
    for parameter, place in places.items():
        kept = optimizer.state[parameter].get("kept")
        found = kept and kept.state()
        if found:
            state[place] = found
    return {"state": state, "param_groups": groups}


def _plain(option):
    """An option as ``torch.load(weights_only=True)`` takes it."""
    return option.to_dict() if isinstance(option, Description) else option


def unpack(optimizer, state_dict):
    """Groups and states of what `pack` gave, for an optimizer with groups of the same sizes.

    Returns
    -------
    groups : list of dict
        The optimizer's parameters and stores with the numbers of the state.
    states : dict
        Of parameters by number.

    Raises
    ------
    CheckpointError
    """
    here = optimizer.param_groups
    parts = isinstance(state_dict, Mapping) and {"state", "param_groups"} <= set(state_dict)
    if not parts:
        raise CheckpointError(
            f"a {type(state_dict).__name__} without 'state' and 'param_groups': give what "
            "state_dict() of the same optimizer gave"
        )
    there, states = state_dict["param_groups"], state_dict["state"]
    sizes = [[len(group["params"]) for group in groups] for groups in (there, here)]
    if sizes[0] != sizes[1]:
        raise CheckpointError(
            f"the state has groups of {sizes[0]} parameters, the optimizer has {sizes[1]}: build "
            "it over the same groups"
        )
    unknown = sorted(set(states) - set(range(sum(sizes[1]))), key=str)
    if unknown:
        raise CheckpointError(f"the state has parameters {unknown} that are in none of its groups")
    return [
        _joined(number, ours, theirs, optimizer.defaults)
        for number, (ours, theirs) in enumerate(zip(here, there, strict=True))
    ], states


def _joined(number, ours, theirs, defaults):
    """A group with our parameters and stores, and what else the state says."""
    missing = sorted(set(defaults) - set(theirs) - {"differentiable"})
    if missing:
        raise CheckpointError(
            f"group {number} of the state has no {', '.join(missing)}: it is another optimizer's"
        )
    stores = {name: option for name, option in ours.items() if name in ("m", "v")}
    for name, store in stores.items():
        if _plain(store) != theirs[name]:
            raise CheckpointError(
                f"group {number}: {name} is {theirs[name]} in the state and {store} here; build "
                "the optimizer with the stores that it had"
            )
    return {**ours, **theirs, **stores, "params": ours["params"]}
