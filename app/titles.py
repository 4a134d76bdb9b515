"""Options by the titles that the forms give them, where the engine, the trainer and the checks say their names."""

import re
from functools import cache
from html import escape

from tfmcore.config import Problem, options

PATH = r"(?<![\w./\\])[a-z]+\.[a-z_]+\b(?!\.\w)"
NAME = rf"{PATH}|\b[a-z]+(?:_[a-z]+)+\b"


@cache
def _titles() -> dict[str, str]:
    return {name: f"“{option.title}”" for option in options() for name in (option.name, option.path)}


def titled(sentence: str, names: str = PATH) -> str:
    """A sentence with titles: "data.encoding" → “Encoding”."""
    return re.sub(names, lambda name: _titles().get(name[0], name[0]), sentence)


def problem_words(problem: Problem) -> str:
    """What is wrong with an option, whose reason may name others of its section: "num_heads" → “Heads”."""
    return titled(str(problem), NAME)


def linked(problem: Problem) -> str:
    """The same as rich text, in which the option is a link to its field."""
    title, colon, reason = problem_words(problem).partition(":")
    return f'<a href="{problem.field}">{escape(title)}</a>{colon}{escape(reason)}'
