"""The first half hour on a GPU: ``python -m tests.cuda.first_light``, see `__main__`."""
