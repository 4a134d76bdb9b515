"""README.md tells of every verb and every part that there is, and of nothing else."""

import re
from pathlib import Path

from tfmcore.cli.main import VERBS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def block(heading: str) -> str:
    """The first fenced block under a heading."""
    found = re.search(rf"^## {heading}\n+```\w*\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    assert found, heading
    return found[1]


def test_every_verb_of_the_terminal_is_shown() -> None:
    commands = [line.removeprefix("tfm ").split("  ")[0] for line in block("In the terminal").splitlines()]
    firsts = [part.split()[0] for command in commands for part in _alternatives(command)]
    assert set(firsts) == set(VERBS)


def _alternatives(command: str) -> list[str]:
    """ "status | pause RUN" → both; "queue add | list" → the one verb."""
    parts = [part.strip() for part in command.split("|")]
    return parts if parts[-1].split()[0] in VERBS else parts[:1]


def test_every_part_of_the_core_is_in_the_layout() -> None:
    parts = {path.name + "/" * path.is_dir() for path in (ROOT / "tfmcore").iterdir() if not path.name.startswith("_")}
    core = block("Where things are").split("tfmcore/\n")[1].split("\nresources/")[0]
    named = {part for line in core.splitlines() for part in re.split(r"[, ]+", line.strip().split("  ")[0])}
    assert named == parts - {"py.typed"}


def test_what_it_points_at_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(links) >= 3
    assert [link for link in links if not (ROOT / link).exists()] == []
    named = re.findall(r"`((?:app|tfmcore|resources|packaging|tests)/[\w./]*)`", README)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
