"""Numbers that can be called alone: bounds, least traffic, the paper's tables, predictions."""
