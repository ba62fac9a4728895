"""Speed on the CPU: every optimizer and store beside the exact ones, PyTorch's, and a copy.

Sketches are 5 times smaller than exact, of depth 3. A run of the plan (`analysis.timing.plan`) is
a process in which all contenders take turns; ratios, shares of bandwidth and growth are medians
over the turns of one run, never of times from different processes.
"""

import os
from importlib import metadata

from analysis.lab import machine
from analysis.lab.process import in_new_process
from analysis.lab.study import Experiment, Table
from analysis.theory import traffic
from analysis.timing import plan, targets
from analysis.timing.cpu_contenders import CONTENDERS
from analysis.timing.turns import rounded


def configure(options):
    """Return the configuration: the machine's cores, what fits its memory, and which PyTorch."""
    mode, cores = options.mode, os.cpu_count()
    return {
        "mode": mode,
        "seed": options.seed,
        "threads": cores,
        "torch": _torch_version(),
        "wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "left_out": plan.too_large(plan.runs(mode, cores), machine.available()),
    }, None


def _torch_version():
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return None


def runs(configuration):
    """Return the settings of every run."""
    settings, left_out = [], configuration["left_out"]
    planned = plan.runs(configuration["mode"], configuration["threads"])
    for place, run in enumerate(planned):
        run = run.without([(out["n"], out["dim"]) for out in left_out if out["cell"] == place])
        if run.shapes:
            settings.append(run.settings(configuration))
    return settings


def measure(settings, _):
    """Time one run."""
    return in_new_process("analysis.timing.cpu_steps", settings, settings["threads"])


def summarise(configuration, result_of):
    """Return a row for every contender on every shape, and how the targets are met."""
    rows = [
        _row(settings, result, entry)
        for settings in runs(configuration)
        for result in [result_of(settings)]
        for entry in result["entries"]
    ]
    shares = [
        share
        for settings in runs(configuration)
        for share in result_of(settings).get("distinct", ())
    ]
    return {"rows": rows, "distinct": shares, "targets": targets.judge(rows)}


def _row(settings, result, entry):
    least = _least_bytes(settings, result, entry)
    low, median, high = entry["quartiles_ms"]
    row = {
        "part": settings["part"],
        **{name: entry[name] for name in ("contender", "n", "dim", "k")},
        "threads": settings["threads"],
        "ms": median,
        "quartiles_ms": [low, high],
        "least_bytes": least,
        "copy_gb_per_s": result["copy_gb_per_s"],
    }
    if settings["block"] == 1:  # no share of it where the data are in the cache
        row["of_copy"] = rounded(least / (2 * settings["copied"]) / entry["of_copy"])
    row |= {f"of_{what}": ratio for what, ratio in entry["of"].items()}
    return row | {field: entry[field] for field in ("of_first", "of_previous") if field in entry}


def _least_bytes(settings, result, entry):
    n, dim, k = (entry[name] for name in ("n", "dim", "k"))
    if settings["kind"] == "sums":
        return traffic.least_bytes_of_sums(k, round(k * result["distinct"][0]), dim)
    return traffic.least_bytes(CONTENDERS[entry["contender"]].stores, n, dim, k)


def present(configuration, summary):
    """Return the table: its rows by part, below it how the targets are met."""
    columns = (
        "part", "optimizer", "n", "d", "k", "time", "quartiles", "least", "of copy", "of exact",
        "of torch",
    )  # fmt: skip
    notes = [*_notes(configuration, summary), "", "Targets:", *_targets(summary["targets"])]
    return Table(EXPERIMENT.title, columns, [_line(row) for row in summary["rows"]], notes)


def _line(row):
    low, high = row["quartiles_ms"]
    return (
        row["part"],
        row["contender"],
        f"{row['n']:,}",
        f"{row['dim']:,}",
        "dense" if row["k"] is None else f"{row['k']:,}",
        _time(row["ms"]),
        f"{_time(low)} - {_time(high)}",
        _size(row["least_bytes"]),
        f"{row['of_copy']:.0%}" if "of_copy" in row else "",
        f"{row['of_exact']:.2f}" if "of_exact" in row else "",
        f"{row['of_torch']:.2f} {_whose(row)}".strip() if "of_torch" in row else "",
    )


def _time(ms):
    return f"{1e3 * ms:.3g} µs" if ms < 1 else f"{ms:.2f} ms"


def _size(count):
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def _whose(row):
    """Which of PyTorch's optimizers the ratio is to."""
    if row["part"] == "unique rows":
        return ""
    kind = "dense torch" if row["k"] is None else "sparse torch"
    return CONTENDERS[row["contender"]].yardsticks[kind].removeprefix("torch.optim.")


def _notes(configuration, summary):
    torch, threads = configuration["torch"], configuration["threads"]
    copies = [row["copy_gb_per_s"] for row in summary["rows"] if row["threads"] == threads]
    yield (
        f"{threads} threads, but in the parts that name another number; before every step a copy "
        f"larger than the caches ({min(copies):.1f} to {max(copies):.1f} GB/s) and a rehearsal "
        "on a few rows. `small`: steps one after the other instead, the data in the cache."
    )
    yield (
        "least: the fewest bytes that the step can move (analysis/theory/traffic.py); of copy: "
        "these over the time, as a part of the copy's bandwidth, which steps that write where they "
        "have just read can surpass."
    )
    yield (
        "of exact: time over that of the same optimizer with exact state; of torch: over that of "
        "PyTorch's optimizer named there, on the same gradients. Medians over the turns of a run."
    )
    yield from _by_threads(summary["rows"])
    if torch is None:
        yield "PyTorch is not installed here (extra `compare`): nothing is compared with it."
    else:
        yield f"PyTorch {torch}; sparse gradients come coalesced."
    for share in summary["distinct"]:
        yield f"unique rows: drawn by Zipf's law, {share:.1%} of them distinct."
    for out in configuration["left_out"]:
        yield (
            f"Left out of `{out['part']}` because memory does not hold it: n = {out['n']:,}, "
            f"d = {out['dim']:,} ({out['bytes'] / 1e9:.0f} GB with all that it is timed beside)."
        )


def _by_threads(rows):
    """How many times as fast as one thread more of them are, at the base shape."""
    for name in plan.SWEPT[:4]:
        times = {
            row["threads"]: row["ms"]
            for row in rows
            if row["contender"] == name
            and row["part"] in ("base", plan.threads_part(row["threads"]))
        }
        if 1 in times and len(times) > 1:
            gains = [f"{times[1] / times[count]:.2f} with {count}" for count in sorted(times)[1:]]
            yield f"{name}: so many times as fast as on 1 thread, of medians: {', '.join(gains)}."


def _targets(judged):
    for target in judged:
        value, unit = target["value"], target["unit"]
        if value is None:
            yield f"- {target['name']}: not measured"
            continue
        said = f"{value:.3g} {unit}".strip()
        if target["bound"] is None:
            yield f"- {target['name']}: {said}"
            continue
        bound = f"{'at least' if target['at_least'] else 'at most'} {target['bound']:g} {unit}"
        verdict = "reached" if target["reached"] else "NOT reached"
        yield f"- {target['name']}: {said}, {bound.strip()}: {verdict}"


def cost(settings):
    """How long a run takes, roughly, in seconds."""
    turns = settings["repeats"] + 3
    each = sum(_step_seconds(settings, shape) for shape in settings["shapes"])
    tables = sum(n * dim for n, dim, _ in settings["shapes"])
    return 5 + 3e-9 * tables + turns * len(settings["contenders"]) * each


def _step_seconds(settings, shape):
    n, dim, k = shape
    rows = n if k is None else k
    if settings["kind"] == "sums":
        return 0.1 + 7e-9 * rows * dim
    return 0.024 + 8e-9 * rows * dim


EXPERIMENT = Experiment(
    name="speed",
    title="Time of an optimizer step on the CPU",
    source="design: close to the memory's limit, at a cost that does not depend on n",
    configure=configure,
    measure=measure,
    summarise=summarise,
    present=present,
    runs=runs,
    alone=True,
    cost=cost,
    duration={"quick": "2 min", "full": "9 min"},
    on_request=True,
)
