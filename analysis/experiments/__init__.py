"""One file for each table or figure; all of them, by name, in `EXPERIMENTS`."""

from analysis.experiments import (
    gpu_speed,
    language_model,
    recurrent_language_model,
    speed,
    store_map,
)

EXPERIMENTS = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (
        language_model,
        recurrent_language_model,
        store_map,
        speed,
        gpu_speed,
    )
}
