"""What the templates of Home reach on held-out data, and how long they take here: trained as one click does it.

    python -m tests.bench.templates [NAME …] [--set a.b=v …]

Prints one JSON object a template. Nothing is chosen but its name; a config file may be named in its place.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ("translate-phrases", "tell-languages", "reverse", "induction", "write-manual")


def tfm(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "tfmcore", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def measured(name: str, overrides: list[str], folder: Path) -> dict[str, object]:
    """Train in a new folder, then evaluate the best checkpoint on what was held out."""
    begin = time.monotonic()
    settings = [part for override in overrides for part in ("--set", override)]
    tfm("train", name, *settings, "--runs", str(folder), "--name", "measured", "--json")
    seconds = time.monotonic() - begin
    (run,) = folder.iterdir()
    return {"template": name, "seconds": round(seconds, 1), **json.loads(tfm("evaluate", str(run), "--json"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="a.b=v")
    arguments = parser.parse_args()
    for name in arguments.names or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measured(name, arguments.overrides, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
