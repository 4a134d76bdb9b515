"""The `tfm` command, one file a verb: its docstring is its help, `EXAMPLES` shows its use, `run` does it."""
