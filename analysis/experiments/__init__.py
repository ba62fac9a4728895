"""One file for each table or figure; all of them, by name, in `EXPERIMENTS`."""

from analysis.experiments import (
    approximation_error,
    gpu_speed,
    language_model,
    power_law_curves,
    speed,
    store_map,
)

EXPERIMENTS = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (
        language_model,
        approximation_error,
        power_law_curves,
        store_map,
        speed,
        gpu_speed,
    )
}
