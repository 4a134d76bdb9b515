"""The families of the literature: how each one's checkpoints map to our blocks."""
