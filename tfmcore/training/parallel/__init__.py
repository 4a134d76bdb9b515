"""How processes, or threads, share one training: the trainer's loop is the same, and this is the part it is handed."""
