"""The presets as one chooses among them: by family, with what each would cost, found by any of their words."""

from dataclasses import dataclass
from functools import cache

from app import machine
from tfmcore.config import Preset, presets
from tfmcore.config.estimate import likely_cost
from tfmcore.config.memory import memory_to_train

STARTS = "Templates"
"""The heading of the presets that belong to no published family."""


@dataclass(frozen=True)
class PresetFigures:
    """`parameters`, and bytes of `memory` to train it as it stands; `reading`: of its true size, or more than
    this machine has."""

    parameters: int
    memory: int
    reading: bool


def family_of(preset: Preset) -> str:
    """The heading it stands under."""
    return preset.family or STARTS


def families() -> dict[str, list[Preset]]:
    """The presets by family; first those for a start, in the order of Home's cards."""
    found: dict[str, list[Preset]] = {}
    for preset in presets().values():
        found.setdefault(family_of(preset), []).append(preset)
    starts = sorted(found.pop(STARTS), key=lambda preset: preset.card.order if preset.card else len(presets()))
    return {STARTS: starts} | {name: found[name] for name in sorted(found, key=str.casefold)}


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
    memory = memory_to_train(config)
    return PresetFigures(likely_cost(config).total, memory, preset.reading or memory > machine.memory())
