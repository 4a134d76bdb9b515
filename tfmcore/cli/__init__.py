"""The `tfm` command, one file per verb: its docstring is its help, `EXAMPLES` shows its use, `run` does it."""
