"""No wrong switch goes unnoticed: with any one of them set otherwise, the imported weights compute something else."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tfmcore.families.cases import CASES, HEADS
from tests.tfmcore.families.comparison import answers, batch, farthest
from tfmcore.config import ModelConfig, SavedModel, options
from tfmcore.families.importing import read_model
from tfmcore.families.keys import read_saved
from tfmcore.families.registry import find_family
from tfmcore.families.switches import computing
from tfmcore.models import build

NOTICED = 1e-5
NUMBERS: dict[str, Any] = {
    "norm_eps": lambda eps: 1e-5 if eps < 1e-5 else eps / 10,
    "attention_scale": lambda scale: scale * 1.01,
    "rope_theta": lambda theta: theta * 1.1,
    "rope_theta_local": lambda theta: theta * 1.1,
    "rope_factor": lambda factor: factor * 1.1,
    "rope_original_length": lambda length: length * 2,
    "rope_low_frequency_factor": lambda factor: factor * 1.5,
    "rope_high_frequency_factor": lambda factor: factor * 1.5,
    "rope_beta_fast": lambda beta: beta * 2,
    "rope_beta_slow": lambda beta: beta * 2,
    "rope_attention_factor": lambda factor: (factor or 1.0) * 1.1,
    "rotary_share": lambda share: share / 2,
    "attention_softcap": lambda cap: 2.0 if cap is None else cap * 0.9,
    "logit_softcap": lambda cap: 2.0 if cap is None else cap * 0.9,
    "attention_window": lambda window: 5 if window is None else window - 1,
    "max_position_distance": lambda distance: distance + 20,
    "max_relative_positions": lambda distance: distance + 20,
    "num_heads": lambda number: number // 2,
}
"""A value that is near and wrong."""
LISTS = {
    "layer_pattern": lambda kinds: ["local" if kind == "global" else "global" for kind in kinds],
    "position_terms": lambda terms: terms[1:] if len(terms) > 1 else ["position_to_content"],
}
TOGETHER = {"rope_scaling": {"rope_factor": 4.0, "rope_original_length": 32}}
"""What says nothing by itself."""
SHAPES = {
    "d_model",
    "num_layers",
    "num_decoder_layers",
    "num_kv_heads",
    "head_dim",
    "d_ff",
    "context_length",
    "num_token_types",
    "num_position_buckets",
    "convolution",
    "convolution_groups",
}
"""Switches that no weights fit but those they were meant for."""


def mutations(saved: SavedModel) -> list[tuple[str, Any]]:
    """Every switch that matters in this model, with each wrong value."""
    declared = {option.name: option for option in options("model")}
    found: list[tuple[str, Any]] = []
    for name, value in computing(saved).items():
        option = declared[name]
        if name == "num_relative_buckets":  # as many distances as before, in other buckets
            found.append((name, None if value else saved.model.position_span))
        elif name in NUMBERS:
            found.append((name, NUMBERS[name](value)))
        elif name in LISTS:
            found.append((name, LISTS[name](value)))
        elif option.kind == "bool":
            found.append((name, not value))
        elif option.kind == "choice":
            found += [(name, choice) for choice in option.choices if choice not in (value, "auto")]
    return found


def changed(saved: SavedModel, name: str, value: Any) -> ModelConfig | None:
    """The model with one switch set otherwise, None where that cannot be."""
    span = {"max_relative_positions": saved.model.position_span} if name == "num_relative_buckets" else {}
    model = saved.model.model_copy(update={name: value} | TOGETHER.get(name, {}) | span)
    return None if any(model.checks()) else model


def other_answers(source: torch.nn.Module, saved: SavedModel, model: ModelConfig, inputs: dict[str, Any]) -> Any:
    """What a model with other switches makes of the same weights; None where they do not fit, or where no text as long
    can be read: such a mistake cannot pass unnoticed."""
    other = build(saved.model_copy(update={"model": model})).eval()
    theirs, mine = dict(source.named_parameters()), dict(other.named_parameters())
    if theirs.keys() != mine.keys() or any(mine[name].shape != theirs[name].shape for name in mine):
        return None
    other.load_state_dict(source.state_dict(), strict=False)
    return answers(other, inputs)


def test_every_switch_is_set_otherwise() -> None:
    """But for those that change shapes, in one case at least."""
    mattering, mutated, path = set[str](), set[str](), Path("config.json")
    for name, ending in HEADS:
        theirs = CASES[name].settings(ending).to_dict() | {"architectures": [CASES[name].prefix + ending]}
        family, head, _ = find_family(theirs, path)
        saved, _ = read_saved(family, head, json.loads(json.dumps(theirs)), path)
        mattering |= set(computing(saved))
        mutated |= {switch for switch, _ in mutations(saved)}
    assert mattering - mutated == SHAPES


@pytest.mark.parametrize("name", CASES)
def test_every_wrong_switch_shows(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    noticed: dict[tuple[str, str], bool] = {}
    for ending in case.classes:
        folder = tmp_path / ending
        case.make(ending).save_pretrained(folder)
        ours = read_model(folder)
        inputs, real = batch(ours.model, padded=case.padded)
        right = answers(ours.model, inputs)
        for switch, value in mutations(ours.saved):
            if switch in case.unheard or noticed.get((switch, str(value))):
                continue
            if (model := changed(ours.saved, switch, value)) is not None:
                wrong = other_answers(ours.model, ours.saved, model, inputs)
                noticed[switch, str(value)] = wrong is None or farthest(wrong, right, real) > NOTICED
    assert [mutation for mutation, shows in noticed.items() if not shows] == []
    assert len(noticed) > 10
