"""The diagram drawn from a config: every preset, every architecture, every switch."""

import pytest
from PySide6.QtGui import QFontMetricsF

from app import diagram
from app.theme import body_font
from app.widgets.block_layout import Block, Column, lay_out
from tfmcore.config import SOURCES, TASKS, Config, options, presets

ARCHITECTURES = [(task, architecture) for task, facts in TASKS.items() for architecture in facts.architectures]
SWITCHES = [
    option for option in options("model") if option.kind in ("choice", "bool") and option.name != "architecture"
]


def leaves(columns: list[Column]) -> list[Block]:
    return [leaf for column in columns for block in column.blocks for leaf in block.leaves()]


def config(task: str, architecture: str, **model: object) -> Config:
    source = next(name for name, facts in SOURCES.items() if task in facts.tasks)
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


def test_every_option_of_the_model_is_behind_a_block():
    behind = {name for names in diagram.BLOCK_OPTIONS.values() for name in names}
    assert {option.name for option in options("model")} - behind == {"preset", "architecture"}


@pytest.mark.parametrize(("task", "architecture"), ARCHITECTURES)
def test_every_architecture_shows_its_attention_and_its_shapes(task, architecture):
    columns = diagram.columns(config(task, architecture, d_model=96, num_layers=3), 1234, 5)
    blocks = leaves(columns)
    titles = [block.title for block in blocks]
    assert ("Cross-attention" in titles) == (architecture == "encoder_decoder")
    assert ("Masked self-attention" in titles) == (architecture != "encoder")
    shapes = [block.shape for column in columns for block in column.blocks]
    assert "(B, 64, 96)" in shapes
    results = {"classification": "(B, 5)", "token_tagging": "(B, 64, 5)", "question_answering": "(B, 64, 2)"}
    assert results.get(task, "(B, 64, 1,234)") in shapes
    repeats = [block.repeat for column in columns for block in column.blocks if block.repeat]
    assert repeats == [3] * len(columns)


@pytest.mark.parametrize("option", SWITCHES, ids=lambda option: option.name)
def test_every_switch_can_be_drawn(option):
    for choice in option.choices or (True, False):
        assert leaves(diagram.columns(config("translation", "encoder_decoder", **{option.name: choice}), 100))


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ("pre", ["RMS norm", "Self-attention", "RMS norm", "Feed-forward"]),
        ("post", ["Self-attention", "RMS norm", "Feed-forward", "RMS norm"]),
        ("sandwich", ["RMS norm", "Self-attention", "RMS norm", "RMS norm", "Feed-forward", "RMS norm"]),
        ("parallel", ["RMS norm", "Self-attention", "RMS norm", "Feed-forward"]),
    ],
)
def test_the_norms_stand_where_the_config_puts_them(placement, expected):
    (column,) = diagram.columns(config("masked_language_modeling", "encoder", norm_placement=placement), 100)
    layers = next(block for block in column.blocks if block.repeat)
    assert [leaf.title for leaf in layers.leaves()] == expected
    drawing = lay_out([column])
    inside = [rect for rect, block in drawing.boxes if block.title in ("Self-attention", "Feed-forward")]
    assert (inside[0].left() == inside[1].left()) == (placement != "parallel")
    assert len(drawing.sums) == 2, "two residuals, or one around the sum of both"


@pytest.mark.parametrize(
    ("switches", "note"),
    [
        ({"position": "rotary", "rotary_share": 0.25}, "rotary positions on 25 %"),
        ({"position": "rotary", "rope_scaling": "yarn", "rope_factor": 4.0}, "stretched: YaRN × 4"),
        ({"position": "alibi"}, "ALiBi distance biases"),
        ({"position": "relative_buckets"}, "biases of 32 distances"),
        ({"position": "disentangled"}, "disentangled: q·k + q·p + k·p"),
        ({"position": "disentangled", "position_terms": ["position_to_content"]}, "disentangled: q·k + k·p"),
        ({"attention_window": 4096, "context_length": 8192}, "window 4,096"),
        ({"attention_window": 8, "layer_pattern": ["local", "global", "local"]}, "window 8 in 3 of 4 layers"),
        ({"query_key_norm": True}, "RMS norm of queries and keys"),
        ({"attention_softcap": 50.0}, "scores capped at ±50"),
        ({"attention_scale": 1.0}, "scores × 1"),
        ({"attention_scale_by_layer": True}, "scores × 1/√32 ÷ layer"),
    ],
)
def test_the_attention_says_what_it_does(switches, note):
    (column,) = diagram.columns(config("masked_language_modeling", "encoder", **switches), 100)
    attention = next(leaf for leaf in leaves([column]) if leaf.kind == "attention")
    assert note in attention.notes


def test_boxes_of_every_switch_keep_apart_and_their_words_fit(qapp):
    metrics = QFontMetricsF(body_font(small=True))
    switches = {
        "norm_placement": "parallel", "attention_window": 48, "layer_pattern": ["local", "global"],
        "query_key_norm": True, "attention_softcap": 50.0, "attention_scale": 0.0625, "rotary_share": 0.25,
        "rope_scaling": "llama3", "rope_factor": 8.0, "convolution": 3, "logit_softcap": 30.0, "output_scale": True,
        "skip_first_norm": True, "learned_positions_beside": True,
    }  # fmt: skip
    columns = diagram.columns(config("translation", "encoder_decoder", **switches), 250_000)
    drawing = lay_out(columns)
    for number, (rect, block) in enumerate(drawing.boxes):
        assert not any(rect.intersects(other) for other, _ in drawing.boxes[number + 1 :]), block.title
        assert rect.left() >= 0
        assert rect.right() <= drawing.size[0]
        for note in block.notes:
            assert metrics.horizontalAdvance(note) <= rect.width() - 8, note


def test_the_words_of_every_preset_fit_into_its_boxes(qapp):
    large, small = QFontMetricsF(body_font()), QFontMetricsF(body_font(small=True))
    for preset in presets().values():
        for rect, block in lay_out(diagram.columns(preset.config(), 262_144, 5)).boxes:
            lines = [(large, block.title), *((small, words) for words in (block.subtitle, *block.notes))]
            for metrics, words in lines:
                assert metrics.horizontalAdvance(words) <= rect.width() - 8, (preset.name, words)


def test_every_option_of_the_model_is_behind_some_block():
    behind = {f"model.{name}" for names in diagram.BLOCK_OPTIONS.values() for name in names}
    assert behind >= {option.path for option in options("model")} - {"model.preset", "model.architecture"}
