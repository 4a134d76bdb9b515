"""Training by several processes, or threads: a `Strategy` is all that the trainer's loop knows of it."""
