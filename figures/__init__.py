"""Drawings of what the laboratory recorded, one file a figure; nothing is computed here."""

from figures import (
    adagrad_regret,
    approximation_error,
    decay_stability,
    error_against_width,
    failure_against_depth,
    load_bias,
    midpoints,
    noise_free_floor,
    one_sidedness,
    perplexity_against_bytes,
    perplexity_by_variant,
    sgd_rate,
    sorted_magnitudes,
    speed,
    store_map,
    theorem_bound,
    training_loss,
)

FIGURES = {
    module.FIGURE.name: module.FIGURE
    for module in (
        perplexity_against_bytes,
        perplexity_by_variant,
        training_loss,
        approximation_error,
        theorem_bound,
        sgd_rate,
        adagrad_regret,
        noise_free_floor,
        error_against_width,
        failure_against_depth,
        one_sidedness,
        decay_stability,
        load_bias,
        store_map,
        midpoints,
        sorted_magnitudes,
        speed,
    )
}
