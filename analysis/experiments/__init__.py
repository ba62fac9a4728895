"""One file for each table or figure; all of them, by name, in `EXPERIMENTS`."""

from analysis.experiments import (
    approximation_error,
    batch_time,
    cleaning,
    cold_start,
    dense_layers,
    extreme_classification,
    first_moment_map,
    gpu_speed,
    head_tail,
    language_model,
    many_classes,
    memory,
    pairings,
    pareto,
    power_law_curves,
    recurrent_language_model,
    speed,
    store_map,
)

EXPERIMENTS = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (
        language_model,
        recurrent_language_model,
        head_tail,
        pairings,
        pareto,
        approximation_error,
        cleaning,
        power_law_curves,
        dense_layers,
        extreme_classification,
        batch_time,
        memory,
        many_classes,
        store_map,
        first_moment_map,
        speed,
        cold_start,
        gpu_speed,
    )
}
