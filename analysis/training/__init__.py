"""Where problems and optimizers meet: one training run at a time."""
