"""How several processes share one training: the trainer's loop is the same, and this is the part that it is handed."""
