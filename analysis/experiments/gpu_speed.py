"""Speed on a GPU: sketched and exact optimizers beside PyTorch's and CuPy's.

Steps are timed with device events, and medians are reported. Every run measures a copy from
device to device first, in the same process: the bandwidth that a step attains is what it must
move at least (`contenders.least_bytes`) over its time, given as a fraction of the copy's.
"""

from analysis.lab.errors import UsageError
from analysis.lab.study import Experiment, Table
from analysis.timing import gpu_events
from analysis.timing.gpu_contenders import CONTENDERS, Missing, competes, least_bytes
from sketchlab.errors import BackendError

OPTIMIZERS = ("Adam CS-MV", "Adam CS-V", "RMSprop CMS", "Adam exact")
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
        {"optimizer": optimizer, "by": by, "n": n, "dim": dim, "k": k, **common}
        for n, dim, k in configuration["shapes"]
        for optimizer in OPTIMIZERS
        for by in CONTENDERS
        if competes(by, optimizer, k)
    ]


def measure(settings, _):
    """Time one contender, or say why it could not be timed."""
    try:
        copied = gpu_events.copy_bandwidth(settings["repeats"])
        step = CONTENDERS[settings["by"]](settings)
        ms = gpu_events.median_ms(step, settings["repeats"])
    except Missing as reason:
        return {"missing": str(reason)}
    except (BackendError, MemoryError) as reason:
        return {"missing": str(reason)}
    least = least_bytes(*(settings[name] for name in ("optimizer", "n", "dim", "k")))
    return {"ms": ms, "copy_bytes_per_s": copied, "least_bytes": least}


def summarise(configuration, result_of):
    """Return one row for every run."""
    return {
        "rows": [
            {name: settings[name] for name in ("optimizer", "by", "n", "dim", "k")}
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
        f"{configuration['repeats']} steps each; {device}.",
    ]
    title = f"Optimizer steps on {device['name']}"
    columns = ("optimizer", "by", "n", "d", "k", "ms", "GB/s", "of copy")
    return Table(title, columns, [_row(entry) for entry in summary["rows"]], notes)


def _row(entry):
    what = [entry["optimizer"], entry["by"], f"{entry['n']:,}", str(entry["dim"])]
    what.append("dense" if entry["k"] is None else f"{entry['k']:,}")
    if "missing" in entry:
        return [*what, entry["missing"], "", ""]
    speed = entry["least_bytes"] / (entry["ms"] * 1e-3)
    share = speed / entry["copy_bytes_per_s"]
    return [*what, f"{entry['ms']:.3f}", f"{speed / 1e9:,.0f}", f"{share:.0%}"]


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
    duration={"quick": "not yet measured", "full": "not yet measured"},
    on_request=True,
)
