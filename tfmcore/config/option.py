"""How an option is declared: once, with its default, bounds, unit, help and paper; everything else derives from it."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from annotated_types import MaxLen
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from tfmcore.config.problems import Problem

Item = TypeVar("Item")


def _distinct(items: list[Item]) -> list[Item]:
    if twice := next((item for item in items if items.count(item) > 1), None):
        raise PydanticCustomError("repeated", "names {item} twice", {"item": twice})
    return items


SomeOf = Annotated[list[Item], AfterValidator(_distinct)]
"""`SomeOf[Literal["a", "b"]]`: a list of some of these, none of them twice."""


def choices_of(annotation: Any) -> tuple[str, ...]:
    """What a value, or each item of a list, is one of; empty where it can be anything."""
    if get_origin(annotation) is list:
        return choices_of(*get_args(annotation))
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def max_items(info: Any) -> int | None:
    """How many items the list of a field can have; None where there is no bound."""
    return next((bound.max_length for bound in info.metadata if isinstance(bound, MaxLen)), None)


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
