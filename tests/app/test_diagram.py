"""The diagram drawn from a config: every preset, every architecture, every switch."""

import pytest

from app import diagram
from app.widgets.block_layout import Block, Column
from tfmcore.config import TASKS, Config, options, presets

ARCHITECTURES = [(task, architecture) for task, facts in TASKS.items() for architecture in facts.architectures]
SWITCHES = [
    option for option in options("model") if option.kind in ("choice", "bool") and option.name != "architecture"
]


def leaves(columns: list[Column]) -> list[Block]:
    return [leaf for column in columns for block in column.blocks for leaf in block.leaves()]


def config(task: str, architecture: str, **model: object) -> Config:
    source = {"classification": "cldr_language", "translation": "cldr_translation"}.get(task, "python_manual")
    raw = {"data": {"source": source, "task": task}, "model": {"architecture": architecture} | model}
    return Config.parse(raw)


@pytest.mark.parametrize("name", presets())
def test_every_preset_has_a_diagram_whose_blocks_lead_to_options(name):
    preset = presets()[name].config()
    columns = diagram.columns(preset, 300)
    assert len(columns) == (2 if preset.model.architecture == "encoder_decoder" else 1)
    known = {option.path for option in options("model")}
    for block in leaves(columns):
        assert block.title
        assert diagram.options_of(block.key)
        assert set(diagram.options_of(block.key)) <= known


@pytest.mark.parametrize(("task", "architecture"), ARCHITECTURES)
def test_every_architecture_shows_its_attention_and_its_shapes(task, architecture):
    columns = diagram.columns(config(task, architecture, d_model=96, num_layers=3), 1234, 5)
    blocks = leaves(columns)
    titles = [block.title for block in blocks]
    assert ("Cross-attention" in titles) == (architecture == "encoder_decoder")
    assert ("Masked self-attention" in titles) == (architecture != "encoder")
    shapes = [block.shape for column in columns for block in column.blocks]
    assert "(B, 64, 96)" in shapes
    assert ("(B, 5)" if task == "classification" else "(B, 64, 1,234)") in shapes
    repeats = [block.repeat for column in columns for block in column.blocks if block.repeat]
    assert repeats == [3] * len(columns)


@pytest.mark.parametrize("option", SWITCHES, ids=lambda option: option.name)
def test_every_switch_can_be_drawn(option):
    for choice in option.choices or (True, False):
        assert leaves(diagram.columns(config("translation", "encoder_decoder", **{option.name: choice}), 100))


def test_the_norm_stands_where_the_config_puts_it():
    for placement, first in (("pre", "RMS norm"), ("post", "Self-attention")):
        (column,) = diagram.columns(config("masked_language_modeling", "encoder", norm_placement=placement), 100)
        layers = next(block for block in column.blocks if block.repeat)
        assert next(iter(layers.children[0].leaves())).title == first


def test_every_option_of_the_model_is_behind_some_block():
    behind = {f"model.{name}" for names in diagram.BLOCK_OPTIONS.values() for name in names}
    assert behind >= {option.path for option in options("model")} - {"model.preset", "model.architecture"}
