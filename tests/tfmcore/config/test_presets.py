"""Every preset: it parses, checks, says why, holds only what differs, and its card shows on Home."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tfmcore.config import TASKS, Config, UserError, find_preset, options, presets
from tfmcore.config.estimate import estimate
from tfmcore.config.memory import training_memory

PRESETS = presets()
CARDS = {name: preset.card for name, preset in PRESETS.items() if preset.card}
each = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


@each
def test_makes_a_valid_config(preset):
    config = preset.config()
    assert config.model.preset == preset.name
    assert config.model.architecture in TASKS[config.data.task].architectures


@each
def test_says_why_in_a_sentence(preset):
    assert preset.title
    assert preset.why.endswith(".")
    assert len(preset.why) <= 120
    assert "\n" not in preset.why
    assert preset.paper == "" or preset.paper.startswith("https://")


@each
def test_holds_only_what_differs(preset):
    defaults = {option.path: option.default for option in options()}
    same = [
        f"{section}.{name}"
        for section, values in preset.sections.items()
        for name, value in values.items()
        if defaults[f"{section}.{name}"] == value
    ]
    assert same == []


@each
def test_is_of_laptop_size_or_for_reading(preset):
    config = preset.config()
    expected = estimate(config.model, config.tokenizer.vocab_size, config.data.task)
    if preset.reading:
        assert expected.total > 20e6
        return
    assert expected.total < 5e6
    assert sum(training_memory(expected, config.training).values()) < 2**30


@each
def test_of_a_family_says_why_of_each_option_of_the_model(preset):
    own = {f"model.{name}" for name in preset.sections.get("model", {})}
    assert set(preset.reasons) <= {path for section in preset.sections for path in _paths(preset, section)}
    if preset.family:
        assert own <= set(preset.reasons), own - set(preset.reasons)
    else:
        assert not preset.reading, "one of a published model belongs to a family"
    for reason in preset.reasons.values():
        assert reason.endswith(".")
        assert len(reason) <= 120


def _paths(preset, section):
    return [f"{section}.{name}" for name in preset.sections[section]]


def test_a_reason_holds_for_relatives_with_the_same_value_only():
    base, mini = find_preset("bert-base"), find_preset("bert-mini")
    assert "section 3" in mini.reasons["model.norm_placement"]
    assert mini.reasons["model.norm_placement"] == base.reasons["model.norm_placement"]
    assert find_preset("transformer-2017").reasons["model.num_layers"].startswith("N = 6")
    assert "Laptop" in find_preset("transformer-2017-mini").reasons["model.num_layers"]


def test_all_architectures_and_tasks_have_one():
    configs = [preset.config() for preset in PRESETS.values()]
    assert {config.model.architecture for config in configs} == {"encoder", "decoder", "encoder_decoder"}
    assert {config.data.task for config in configs} == set(TASKS)
    assert {"nano-decoder", "nano-encoder", "nano-seq2seq"} <= set(PRESETS)


def test_nano_decoder_is_the_published_setting():
    """4 layers, 4 heads, width 128, context 64, batch 12, 2,000 steps, no dropout: nanoGPT's setting for a laptop."""
    config = find_preset("nano-decoder").config()
    model, training = config.model, config.training
    shape = (model.num_layers, model.num_heads, model.d_model, model.context_length, model.dropout)
    assert shape == (4, 4, 128, 64, 0.0)
    assert (training.batch_size, training.steps) == (12, 2000)
    assert (config.tokenizer.kind, config.data.source) == ("char", "python_manual")
    assert 0.75e6 < estimate(model, 65, "language_modeling").total < 0.85e6


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_card(card):
    assert card.see.endswith(".")
    assert card.then in ("use", "inspect")
    assert card.choose == "" or card.choose in {option.path for option in options()}
    fonts = Path(find_spec("qtawesome").origin).parent / "fonts"
    (charmap,) = fonts.glob("materialdesignicons6-webfont-charmap*.json")
    assert card.icon in json.loads(charmap.read_bytes())


def test_each_template_has_its_own_place_on_home():
    assert sorted(card.order for card in CARDS.values()) == list(range(1, len(CARDS) + 1))


def test_overrides_win_and_leave_the_preset_alone():
    preset = find_preset("reverse")
    assert preset.config(["model.num_layers=3", "data.columns.source=a"]).model.num_layers == 3
    assert preset.config().model.num_layers == 2
    assert preset.config().data.columns == {}
    assert preset.config() == find_preset("reverse").config()


def test_unknown_name_finds_the_nearest():
    with pytest.raises(UserError, match="nano-decoder"):
        find_preset("nanodecoder")
    with pytest.raises(UserError, match="tfm presets"):
        find_preset("")


def test_defaults_are_valid():
    assert Config.parse({}) == Config()
