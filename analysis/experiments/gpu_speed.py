"""Speed on a GPU: sketched and exact optimizers beside PyTorch's and CuPy's.

Steps are timed with device events, and medians are reported, beside the time that a call takes on
the host. Every run measures a copy from device to device first, in the same process: the bandwidth
that a step attains is what it must move at least (`contenders.least_bytes`) over its time, given as
a fraction of the copy's. At one shape rows come in every way (`contenders.ROWS`), and all decays
and stores of the library are timed. What does not fit into the device's memory is left out with a
line.
"""

from analysis.lab.errors import UsageError
from analysis.lab.study import Experiment, Table
from analysis.timing import gpu_events
from analysis.timing.gpu_contenders import (
    CONTENDERS,
    OPTIMIZERS,
    ROWS,
    TWO_BYTES,
    VARIANTS,
    Missing,
    competes,
    least_bytes,
)
from sketchlab.errors import BackendError

# (rows, columns, active rows; None: a dense step)
FULL = [
    (1_000_000, 64, 1_000),
    (1_000_000, 64, 100_000),
    (1_000_000, 1024, 16_384),
    (10_000_000, 64, 1_000_000),
    (10_000_000, 256, 1_000),
    (10_000_000, 256, 16_384),
    (10_000_000, 256, 262_144),
    (1_000_000, 64, None),
    (1_000_000, 1024, None),
]
QUICK = [(1_000_000, 64, 16_384), (10_000_000, 256, 262_144), (1_000_000, 64, None)]
REPEATS = {"full": 50, "quick": 10}


def configure(options):
    """Return the configuration; there is none without a GPU, and no figure is made up."""
    reason = gpu_events.why_not()
    if reason:
        raise UsageError(f"gpu-speed measures a GPU: {reason}")
    mode = options.mode
    return {
        "mode": mode,
        "seed": options.seed,
        "repeats": REPEATS[mode],
        "shapes": [list(shape) for shape in (QUICK if options.quick else FULL)],
        "device": gpu_events.device(),
    }, None


def runs(configuration):
    """Return the settings of every run."""
    common = {name: configuration[name] for name in ("seed", "repeats", "device")}
    return [
        {"optimizer": optimizer, "by": by, "n": n, "dim": dim, "k": k, "rows": rows, **common}
        for optimizer, n, dim, k, rows in _cells(configuration["shapes"])
        for by in CONTENDERS
        if competes(by, optimizer, k)
    ]


def _cells(shapes):
    """(optimizer, n, dim, k, rows): all shapes with ascending rows, then one in every way."""
    for shape in shapes:
        yield from ((optimizer, *shape, "ascending") for optimizer in OPTIMIZERS)
    sparse = [shape for shape in shapes if shape[2] is not None]
    if sparse:
        base = max(sparse, key=lambda shape: shape[1] * shape[2])
        yield from ((optimizer, *base, "ascending") for optimizer in VARIANTS | TWO_BYTES)
        for rows in ROWS[1:]:
            yield from ((optimizer, *base, rows) for optimizer in OPTIMIZERS)


def measure(settings, _):
    """Time one contender, or say why it could not be timed."""
    gpu_events.release()
    try:
        return _timed(settings)
    except Missing as reason:
        return {"missing": str(reason)}
    except Exception as error:
        if gpu_events.ran_out(error):
            return {"missing": "does not fit into the device's memory"}
        if isinstance(error, BackendError):
            return {"missing": str(error)}
        raise
    finally:
        gpu_events.release()


def _timed(settings):
    repeats = settings["repeats"]
    copied = gpu_events.copy_bandwidth(repeats)
    step = CONTENDERS[settings["by"]](settings)
    ms, host_ms = gpu_events.median_ms(step, repeats), gpu_events.host_ms(step, repeats)
    shape = (settings[name] for name in ("optimizer", "n", "dim", "k", "rows", "seed"))
    least = least_bytes(*shape)
    return {"ms": ms, "host_ms": host_ms, "copy_bytes_per_s": copied, "least_bytes": least}


def summarise(configuration, result_of):
    """Return one row for every run."""
    return {
        "rows": [
            {name: settings[name] for name in ("optimizer", "by", "n", "dim", "k", "rows")}
            | result_of(settings)
            for settings in runs(configuration)
        ]
    }


def present(configuration, summary):
    """Return the table."""
    device = configuration["device"]
    notes = [
        "GB/s: least bytes of the step over its median time; copy: a copy from device to device "
        "in the same run.",
        "host: until the call returns, the device being idle. Rows: distinct ones, ascending or "
        "unsorted, or with the frequencies of Zipf's law, which repeats some.",
        f"{configuration['repeats']} steps each; {device}.",
    ]
    title = f"Optimizer steps on {device['name']}"
    columns = ("optimizer", "by", "n", "d", "k", "rows", "ms", "host ms", "GB/s", "of copy")
    return Table(title, columns, [_row(entry) for entry in summary["rows"]], notes)


def _row(entry):
    what = [entry["optimizer"], entry["by"], f"{entry['n']:,}", str(entry["dim"])]
    what += ["all", "dense"] if entry["k"] is None else [f"{entry['k']:,}", entry["rows"]]
    if "missing" in entry:
        return [*what, entry["missing"], "", "", ""]
    speed = entry["least_bytes"] / (entry["ms"] * 1e-3)
    share = speed / entry["copy_bytes_per_s"]
    times = [f"{entry['ms']:.3f}", f"{entry['host_ms']:.3f}"]
    return [*what, *times, f"{speed / 1e9:,.0f}", f"{share:.0%}"]


def cost(settings):
    """How long a run takes, roughly: setting up the table, then the steps."""
    return settings["n"] * settings["dim"] * 1e-8 + 10


EXPERIMENT = Experiment(
    name="gpu-speed",
    title="Time of an optimizer step on a GPU, beside PyTorch and CuPy",
    source="design: at least 60 % of copy bandwidth, twice as fast as torch.optim.SparseAdam",
    configure=configure,
    measure=measure,
    summarise=summarise,
    present=present,
    runs=runs,
    alone=True,
    cost=cost,
    duration={"quick": "not yet measured", "full": "3 min on an H100"},
    on_request=True,
)
