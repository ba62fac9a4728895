"""One file for each table or figure; all of them, by name, in `EXPERIMENTS`."""

from analysis.experiments import gpu_speed, language_model

EXPERIMENTS = {
    experiment.name: experiment for experiment in (language_model.EXPERIMENT, gpu_speed.EXPERIMENT)
}
