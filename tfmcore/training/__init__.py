"""Training: the loop, its checkpoints, and the life of the process that runs it."""
