"""Answer requests on stdin with replies on stdout, one JSON line each: the program behind the window's pages."""

import argparse

EXAMPLES = """
tfm engine                      tfmcore/messages/ describes requests and replies
ssh host tfm engine             the same, with the models of another machine
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none: all is said in the requests."""


def run(arguments: argparse.Namespace) -> int:
    from tfmcore.engine.server import main

    main()
    return 0
