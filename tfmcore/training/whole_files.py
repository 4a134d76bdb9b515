"""The C++ compiler that torch's compiler calls, so that what it makes has its name only once it is whole.

torch takes a file that is there for done, though a compiler that was interrupted left half of it: no run could be
compiled any more."""

import os
import shlex
import sys
from pathlib import Path

SCRIPT = """#!/bin/sh
name= last=
for word do
    shift
    if [ "$last" = -o ]; then name=$word; set -- "$@" "$word.$$"; else set -- "$@" "$word"; fi
    last=$word
done
{compiler} "$@" || exit
[ -z "$name" ] || mv -f "$name.$$" "$name"
"""


def writes_whole_files(compiler: str, folder: Path) -> str:
    """A script in `folder` that stands for the command `compiler`, by a name of the same end, for that is how torch
    tells compilers apart; the command itself where scripts of a shell cannot be run."""
    words = shlex.split(compiler)
    if sys.platform == "win32":
        return compiler
    text, script = SCRIPT.format(compiler=shlex.join(words)), folder / Path(words[0]).name
    try:
        if not script.is_file() or script.read_text() != text:
            folder.mkdir(parents=True, exist_ok=True)
            new = script.with_name(f"{os.getpid()}.new")
            new.write_text(text)
            new.chmod(0o755)
            new.replace(script)
    except OSError:
        return compiler
    return str(script) if os.access(script, os.X_OK) else compiler
