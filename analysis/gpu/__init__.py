"""Timings on a GPU: how time is taken, and what is set beside the library's own backend."""
