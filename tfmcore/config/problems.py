"""What is wrong with what a user gave us: a sentence, or problems each with its field and nearest valid value."""

from dataclasses import dataclass
from typing import Any


class UserError(Exception):
    """A fault that the user can mend. `str(error)` is one sentence saying what, where and what to do.

    `fix` names options by `section.name` and the values that mend it, where that is known.
    """

    def __init__(self, sentence: str, details: str = "", fix: dict[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.details = details
        self.fix = fix or {}


@dataclass(frozen=True)
class Problem:
    """One invalid option: `field` is `section.name`, `reason` says why, `nearest` is a valid value or None."""

    field: str
    reason: str
    nearest: Any = None

    def __str__(self) -> str:
        advice = "" if self.nearest is None else f" (nearest valid: {self.nearest})"
        return f"{self.field}: {self.reason}{advice}"


class ConfigError(UserError):
    """A config with one or more problems; the message has a line for each."""

    def __init__(self, problems: list[Problem], where: str = "") -> None:
        super().__init__("\n".join(f"{where}{problem}" for problem in problems))
        self.problems = problems
