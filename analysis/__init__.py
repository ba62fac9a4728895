"""The laboratory of sketchlab: experiments on its optimizers, run with ``python -m analysis``."""
