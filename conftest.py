"""What is collected: `sketchlab.torch` and its tests only where PyTorch is installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["sketchlab/torch", "tests/pytorch"]
