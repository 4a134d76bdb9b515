"""The presets in `resources/presets`: each a TOML file with only what differs from the defaults, and why."""

import copy
import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from tfmcore.config.config import Config, apply_overrides
from tfmcore.config.problems import UserError


@dataclass(frozen=True)
class Card:
    """How Home offers a preset: what one will see, and the one option to choose first, if any (`section.name`)."""

    order: int
    icon: str
    title: str
    see: str
    choose: str = ""
    then: str = "use"


@dataclass(frozen=True)
class Preset:
    """`sections` hold the differences from the defaults; `why` is a sentence, `reasons` one for each option of a family
    (`section.name`). One for `reading` has the true size of a published model, to be looked at: most computers cannot
    train it."""

    name: str
    title: str
    why: str
    sections: dict[str, dict[str, Any]]
    paper: str = ""
    card: Card | None = None
    reading: bool = False
    family: str = ""
    reasons: dict[str, str] = field(default_factory=dict)

    def config(self, overrides: Iterable[str] = ()) -> Config:
        """The whole config: defaults, this preset, then `a.b=value` overrides."""
        return Config.parse(self.raw(overrides))

    def raw(self, overrides: Iterable[str] = ()) -> dict[str, Any]:
        """The same without the defaults, and before it is checked."""
        raw: dict[str, Any] = copy.deepcopy(self.sections)
        raw.setdefault("model", {})["preset"] = self.name
        apply_overrides(raw, overrides)
        return raw


@cache
def presets() -> dict[str, Preset]:
    """Every preset by name, in the order of the names."""
    folder = files("resources") / "presets"
    found = sorted((path for path in folder.iterdir() if path.name.endswith(".toml")), key=lambda path: path.name)
    known = {(name := path.name.removesuffix(".toml")): _read(name, path.read_text("utf-8")) for path in found}
    for preset in known.values():
        _share_reasons(preset, [other for other in known.values() if other.family == preset.family != ""])
    return known


def find_preset(name: str) -> Preset:
    """The preset of that name; raises UserError naming the nearest."""
    if name in presets():
        return presets()[name]
    near = difflib.get_close_matches(name, presets(), n=1, cutoff=0.0)
    raise UserError(f"there is no preset {name!r} (nearest: {near[0]}); `tfm presets` lists them")


def _read(name: str, text: str) -> Preset:
    raw = tomllib.loads(text)
    card = raw.pop("card", None)
    title, why, paper = raw.pop("title"), raw.pop("why"), raw.pop("paper", "")
    reading, family, reasons = raw.pop("reading", False), raw.pop("family", ""), raw.pop("reasons", {})
    flat = {f"{section}.{option}": reason for section, some in reasons.items() for option, reason in some.items()}
    return Preset(name, title, why, raw, paper, Card(**card) if card else None, reading, family, flat)


def _share_reasons(preset: Preset, relatives: list[Preset]) -> None:
    """What a preset says of an option holds for its relatives too, where they set it to the same value."""
    for section, values in preset.sections.items():
        for name, value in values.items():
            for other in relatives:
                if (path := f"{section}.{name}") in other.reasons and other.sections[section][name] == value:
                    preset.reasons.setdefault(path, other.reasons[path])
