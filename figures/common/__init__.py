"""What all drawings share: how results are read, how a figure looks, and where it is written."""
