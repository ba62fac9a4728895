"""One file for each table or figure; all of them, by name, in `EXPERIMENTS`."""

from analysis.experiments import first_moment_map, gpu_speed, language_model, speed, store_map

EXPERIMENTS = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (language_model, store_map, first_moment_map, speed, gpu_speed)
}
