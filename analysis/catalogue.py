"""Everything that the laboratory can run, by name: the claims of the theory, then experiments."""

from analysis.checks import CLAIMS
from analysis.experiments import EXPERIMENTS
from analysis.lab.errors import UsageError

CATALOGUE = {name: claim.experiment() for name, claim in CLAIMS.items()} | EXPERIMENTS

#: Names that stand for several.
GROUPS = {
    "claims": list(CLAIMS),
    "experiments": [name for name, entry in EXPERIMENTS.items() if not entry.on_request],
}


def chosen(names):
    """The entries of some names and groups, each once, in the order of the catalogue.

    Raises
    ------
    UsageError
        If a name is unknown; it lists the known ones.
    """
    wanted = set()
    for name in names:
        if name not in CATALOGUE and name not in GROUPS:
            known = ", ".join([*GROUPS, *CATALOGUE])
            raise UsageError(f"unknown name {name!r}: known are {known}")
        wanted.update(GROUPS.get(name, [name]))
    return [entry for name, entry in CATALOGUE.items() if name in wanted]
