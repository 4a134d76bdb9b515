"""Every option of the schema as plain facts: forms, `tfm options` and the tests walk this list."""

import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from tfmcore.config.config import Config
from tfmcore.config.option import choices_of, max_items
from tfmcore.config.problems import Problem


@dataclass(frozen=True)
class Option:
    """One field: `kind` is bool, int, float, str, choice, list or table; bounds are None where there are none.

    A list that has `choices` has some of them, each once; `max_items` says how many items any list can have.
    """

    section: str
    name: str
    kind: str
    title: str
    help: str
    unit: str
    paper: str
    essential: bool
    default: Any
    optional: bool
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    max_items: int | None = None

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}"

    def problem(self, value: Any) -> Problem | None:
        """What is wrong with `value` for this option alone."""
        from tfmcore.config.config import find_problems

        raw = {} if value is None and self.optional else {self.name: value}
        return next((p for p in find_problems({self.section: raw}) if p.field == self.path), None)


@cache
def options(section: str | None = None) -> tuple[Option, ...]:
    """The options of a section (of all sections) in the order of their declaration."""
    names = [section] if section else list(Config.model_fields)
    return tuple(
        _option(name, key, info)
        for name in names
        for key, info in Config.model_fields[name].annotation.model_fields.items()  # type: ignore[union-attr]
    )


def _option(section: str, name: str, info: Any) -> Option:
    annotation, optional = info.annotation, False
    if isinstance(annotation, types.UnionType):
        optional = True
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    origin = typing.get_origin(annotation)
    kinds = {Literal: "choice", list: "list", dict: "table"}
    minimum, maximum = _bound(info, Ge, Gt), _bound(info, Le, Lt)
    return Option(
        section,
        name,
        kind=kinds.get(origin) or annotation.__name__,
        title=info.title,
        help=info.description,
        default=info.get_default(call_default_factory=True),
        optional=optional,
        choices=choices_of(annotation),
        minimum=minimum,
        maximum=maximum,
        exclusive_minimum=_bound(info, Gt) is not None,
        exclusive_maximum=_bound(info, Lt) is not None,
        max_items=max_items(info) if origin is list else None,
        **info.json_schema_extra,
    )


def _bound(info: Any, *kinds: type) -> float | None:
    """The `ge` of a Ge, the `lt` of a Lt … among a field's metadata."""
    return next((getattr(m, type(m).__name__.lower()) for m in info.metadata if isinstance(m, kinds)), None)
