"""The presets as one chooses among them: by family, with what each would cost, found by any of their words."""

from dataclasses import dataclass
from functools import cache

from app import machine
from tfmcore.config import Preset, presets
from tfmcore.config.estimate import likely_cost

TEMPLATES, PLAIN = "Templates", "Without a family"


@dataclass(frozen=True)
class PresetFigures:
    """`parameters`, and bytes of `memory` to train it as it stands; `reading`: of its true size, or more than
    this machine has."""

    parameters: int
    memory: int
    reading: bool


def family_of(preset: Preset) -> str:
    """The heading it stands under: "BERT, base" → "BERT"."""
    family, _, _ = preset.title.rpartition(",")
    return TEMPLATES if preset.card else family or PLAIN


def families() -> dict[str, list[Preset]]:
    """The presets by family, those for a start first."""
    found: dict[str, list[Preset]] = {TEMPLATES: [], PLAIN: []}
    for preset in presets().values():
        found.setdefault(family_of(preset), []).append(preset)
    first = {name: found.pop(name) for name in (TEMPLATES, PLAIN)}
    return first | {name: found[name] for name in sorted(found, key=str.casefold)}


def matches(preset: Preset, wanted: str) -> bool:
    """Whether every word of `wanted` stands in what the preset says of itself."""
    text = f"{preset.name} {preset.title} {preset.why} {family_of(preset)}".casefold()
    return all(word in text for word in wanted.casefold().split())


@cache
def figures() -> dict[str, PresetFigures]:
    """What each preset costs, by name. Takes a moment."""
    return {name: _figures(preset) for name, preset in presets().items()}


def _figures(preset: Preset) -> PresetFigures:
    config = preset.config()
    memory = machine.memory_to_train(config)
    return PresetFigures(likely_cost(config).total, memory, preset.reading or memory > machine.memory())
