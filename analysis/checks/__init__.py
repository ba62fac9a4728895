"""One file a claim of the theory; all of them, by name, in `CLAIMS`."""

from analysis.checks import (
    adagrad_regret,
    adaptive_stream,
    count_min_error,
    count_min_one_sided,
    count_min_one_sided_lazy,
    count_sketch_error,
    decay_stability,
    depth,
    facts_f1_f4,
    graceful_width,
    lemma_b2,
    load_bias,
    merge_fold,
    noise_free_floor,
    power_law,
    sgd_rate,
    theorem_4_1,
    theorem_any_stream,
    theorem_conservative,
)

_MODULES = (
    count_sketch_error,
    count_min_error,
    count_min_one_sided,
    count_min_one_sided_lazy,
    depth,
    graceful_width,
    adaptive_stream,
    lemma_b2,
    facts_f1_f4,
    theorem_4_1,
    theorem_any_stream,
    theorem_conservative,
    sgd_rate,
    noise_free_floor,
    adagrad_regret,
    decay_stability,
    power_law,
    load_bias,
    merge_fold,
)

CLAIMS = {module.CLAIM.name: module.CLAIM for module in _MODULES}
