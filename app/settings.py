"""What the window remembers: settings.toml in the workspace. A damaged file gives the defaults and a notice."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w


class Settings:
    """Plain values by dotted name, such as `window.theme`; written at once and whole.

    `notice` is a sentence for the user about a file that cannot be read or written, else empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, Any] = {}
        self.notice = ""
        try:
            self._values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError):
            self.notice = f"The settings could not be read; defaults are used{self._put_aside()}."

    def get(self, name: str, default: Any) -> Any:
        """The value, or `default` where there is none or it is of another type."""
        value = self._values.get(name, default)
        return value if _fits(value, default) else default

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """The value where it is one of these, else the first of them."""
        value = self.get(name, choices[0])
        return value if value in choices else choices[0]

    def set(self, name: str, value: Any) -> None:
        """Remember a value; where the workspace cannot be written, only until the window closes."""
        if self._values.get(name) != value:
            self._values[name] = value
            temporary = self._path.with_name(f".{self._path.name}")
            try:
                temporary.write_text(tomli_w.dumps(self._values), encoding="utf-8")
                temporary.replace(self._path)
            except OSError as error:
                self.notice = f"The settings cannot be saved: {self._path} cannot be written ({error.strerror})."

    def _put_aside(self) -> str:
        """Keep the damaged file under another name; says so."""
        kept = self._path.with_suffix(".damaged.toml")
        try:
            self._path.replace(kept)
        except OSError:
            return ""
        return f", and the old file is kept as {kept.name}"


def _fits(value: Any, default: Any) -> bool:
    """Whether it is of the type of the default, and a list of the type of its items."""
    if isinstance(value, list) and isinstance(default, list) and default:
        return all(type(item) is type(default[0]) for item in value)
    return type(value) is type(default)
