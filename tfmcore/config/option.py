"""How an option is declared: once, with its default, bounds, unit, help and paper; everything else derives from it."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from tfmcore.config.problems import Problem


def option(
    default: Any, *, title: str, help: str, unit: str = "", paper: str = "", essential: bool = False, **bounds: Any
) -> Any:
    """A field of a section; `bounds` are pydantic's (ge, gt, le, lt, min_length, max_length, pattern).

    A mutable default (a list or a dict) is copied for each config.
    """
    extra: dict[str, JsonValue] = {"unit": unit, "paper": paper, "essential": essential}
    value: dict[str, Any] = {"default": default}
    if isinstance(default, list | dict):
        value = {"default_factory": default.copy}
    return Field(**value, title=title, description=help, json_schema_extra=extra, **bounds)


class Section(BaseModel):
    """A section of the config: unknown keys, wrong types, NaN and infinity are errors."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=False
    )

    def checks(self) -> Iterator[Problem]:
        """Problems between fields of this section; the field names carry no section."""
        yield from ()
