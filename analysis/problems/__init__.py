"""What the optimizers are tried on: data and models, without any optimizer in them."""
