"""The studies that a figure draws, from the result files of the laboratory."""

from pathlib import Path
from typing import NamedTuple

from analysis.lab.errors import UsageError
from analysis.lab.results import read


class Study(NamedTuple):
    """One finished study: what was run, what it gave, and which code made it.

    `runs` are all runs in the file, as pairs of settings and result; `runs_of` picks some.
    """

    name: str
    configuration: dict
    summary: dict
    made_by: list
    runs: list

    @property
    def curves(self):
        """What a claim recorded for its figure."""
        return self.summary["curves"]

    def runs_of(self, **settings):
        """Return the results of the runs that have these settings and the study's seed, if any."""
        if "seed" in self.configuration:
            settings = {"seed": self.configuration["seed"], **settings}
        return [
            result
            for given, result in self.runs
            if all(given.get(key) == value for key, value in settings.items())
        ]

    def stores_of(self, row):
        """Return the descriptions of a comparison's stores, as the settings of its runs have them.

        Parameters
        ----------
        row : dict
            With the name of its ``variant``.
        """
        return next(given["stores"] for given, _ in self.runs if given["variant"] == row["variant"])

    @property
    def command(self):
        """The command that makes this study."""
        if self.name == "replay":
            return f"python -m analysis replay STREAM --optimizer {self.configuration['family']}"
        words = ["python -m analysis run", self.name]
        if self.configuration["mode"] == "quick":
            words.append("--quick")
        if self.configuration.get("seed"):
            words.append(f"--seed {self.configuration['seed']}")
        return " ".join(words)

    @property
    def origin(self):
        """One line on the command, the seed and the revision of the code."""
        revisions = sorted({made["revision"] for made in self.made_by})
        seed = self.configuration.get("seed")
        seeded = "" if seed is None else f", seed {seed}"
        return f"`{self.command}`{seeded}; revision {' and '.join(revisions)}"


class MissingResult(UsageError):
    """No finished study of an experiment is there."""

    def __init__(self, names, folder):
        self.names = tuple(names)
        super().__init__(
            f"no finished results of {', '.join(names)} in {folder}: "
            f"`python -m analysis run {' '.join(names)} --out {folder}` makes them (add --quick "
            "for smaller ones), or let --run-missing do it"
        )


def finished(folder, name):
    """Return the study of an experiment to draw, or None: the last full one before quick ones.

    Raises
    ------
    UsageError
        If the result file is damaged or of another version.
    """
    path = Path(folder) / f"{name}.json"
    try:
        content = read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"cannot draw {path} ({error}): run {name} again") from None
    studies = [study for study in content["studies"] if study["summary"] is not None]
    studies.sort(key=lambda study: study["configuration"]["mode"] == "full")
    if not studies:
        return None
    chosen = studies[-1]
    runs = [(run["settings"], run["result"]) for run in content["runs"]]
    return Study(name, chosen["configuration"], chosen["summary"], chosen["made_by"], runs)


def missing(folder, names):
    """Return those of some experiments, each once, that have no finished study."""
    return [name for name in dict.fromkeys(names) if finished(folder, name) is None]


def studies(folder, names):
    """Return one `Study` for each name.

    Raises
    ------
    MissingResult
        If some have none.
    UsageError
        If a result file is damaged or of another version.
    """
    if absent := missing(folder, names):
        raise MissingResult(absent, folder)
    return [finished(folder, name) for name in names]
