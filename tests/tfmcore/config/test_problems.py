"""What is wrong with a config: all at once, each with its field, a reason and a value that would do."""

import pytest

from tfmcore.config import Config, ConfigError, find_problems

CLASHES = {
    "heads 0": ({"model": {"num_heads": 0}}, "model.num_heads", 1),
    "width by heads": ({"model": {"d_model": 128, "num_heads": 5}}, "model.num_heads", 4),
    "heads by kv heads": ({"model": {"num_heads": 4, "num_kv_heads": 3}}, "model.num_kv_heads", 2),
    "more kv heads than heads": ({"model": {"num_heads": 4, "num_kv_heads": 8}}, "model.num_kv_heads", 4),
    "layers -1": ({"model": {"num_layers": -1}}, "model.num_layers", 1),
    "odd rotary width": ({"model": {"head_dim": 31}}, "model.head_dim", 32),
    "odd rotary width by heads": ({"model": {"d_model": 60, "num_heads": 4}}, "model.head_dim", 16),
    "widest odd rotary width": ({"model": {"d_model": 65535, "num_heads": 1}}, "model.head_dim", 8192),
    "window 0": ({"model": {"attention_window": 0}}, "model.attention_window", 1),
    "odd buckets": (
        {"model": {"position": "relative_buckets", "num_position_buckets": 33}},
        "model.num_position_buckets",
        34,
    ),
    "near farthest bucket": (
        {"model": {"position": "relative_buckets", "max_position_distance": 32}},
        "model.max_position_distance",
        33,
    ),
    "task of source": ({"data": {"source": "cldr_language"}}, "data.task", "classification"),
    "architecture of task": ({"data": {"task": "masked_language_modeling"}}, "model.architecture", "encoder"),
    "next sentence without its head": (
        {
            "data": {"task": "masked_language_modeling", "next_sentence_prediction": True},
            "model": {"architecture": "encoder"},
        },
        "data.next_sentence_prediction",
        False,
    ),
    "no path": ({"data": {"source": "file"}}, "data.path", None),
    "lengths crossed": ({"data": {"min_length": 20}}, "data.min_length", 12),
    "role of another task": ({"data": {"columns": {"text": "a", "label": "b"}}}, "data.columns", {"text": "a"}),
    "unknown language": ({"data": {"target_language": "hun"}}, "data.target_language", "hu"),
    "language into itself": (
        {
            "data": {"source": "cldr_translation", "task": "translation", "target_language": "en"},
            "model": {"architecture": "encoder_decoder"},
        },
        "data.target_language",
        "hu",
    ),
    "language twice": ({"data": {"languages": ["en", "de", "en"]}}, "data.languages", ["en", "de"]),
    "one language twice": ({"data": {"languages": ["en", "en"]}}, "data.languages", Config().data.languages),
    "unknown languages": ({"data": {"languages": ["en", "xx", "de"]}}, "data.languages", ["en", "de"]),
    "no target of LoRA": ({"training": {"lora_targets": []}}, "training.lora_targets", ["attention"]),
    "no position term": ({"model": {"position_terms": []}}, "model.position_terms", Config().model.position_terms),
    "no tokenizer.json": ({"tokenizer": {"kind": "file"}}, "tokenizer.path", None),
    "fewer than the bytes": ({"tokenizer": {"kind": "byte", "vocab_size": 100}}, "tokenizer.vocab_size", 263),
    "weights without classes": ({"training": {"class_weights": "balanced"}}, "training.class_weights", "none"),
    "noam without warm-up": ({"training": {"schedule": "noam", "warmup_steps": 0}}, "training.warmup_steps", 100),
}


@pytest.mark.fault(12)
@pytest.mark.parametrize(("raw", "field", "nearest"), CLASHES.values(), ids=CLASHES)
def test_clash_names_its_field_and_the_nearest_value(raw, field, nearest):
    (problem,) = find_problems(raw)
    assert (problem.field, problem.nearest) == (field, nearest)
    assert "\n" not in str(problem)
    if nearest is not None:
        section, name = field.split(".")
        assert find_problems({**raw, section: {**raw.get(section, {}), name: nearest}}) == []


def test_all_problems_come_at_once():
    raw = {
        "data": {"source": "flie", "seed": -1},
        "tokenizer": {"kind": "bpe", "vocab_sise": 100},
        "model": {"num_layers": 0, "d_model": 60},
        "training": {"steps": 50, "learning_rate": 0},
        "extra": {"a": 1},
    }
    found = {problem.field: problem.nearest for problem in find_problems(raw)}
    assert found == {
        "data.source": "file",
        "data.seed": 0,
        "data.path": None,
        "tokenizer.vocab_sise": "vocab_size",
        "model.num_layers": 1,
        "model.head_dim": 16,
        "training.learning_rate": 1e-3,
        "extra": None,
    }


def test_each_line_of_the_error_names_where():
    with pytest.raises(ConfigError) as caught:
        Config.parse({"model": {"num_layers": 0, "num_heads": 0}}, "run.toml: ")
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems) == 2
    assert lines[0] == "run.toml: model.num_layers: 0 is out of range, must be at least 1 (nearest valid: 1)"


@pytest.mark.parametrize("raw", [{"model": 5}, {"model": [1]}, {"model": None}, {"model": "decoder"}], ids=str)
def test_value_where_a_section_belongs(raw):
    (problem,) = find_problems(raw)
    assert str(problem) == "model: is a section, not a value"


@pytest.mark.parametrize("key", ["data", "data.x", "data.source", "", "a.b.c", "model.data"])
def test_unknown_sections_are_named_whatever_they_are_called(key):
    problems = find_problems({"data": {"nonsense": 1}, **({} if key == "data" else {key: {"source": 1}})})
    assert "data.nonsense" in {problem.field for problem in problems}
    assert len(problems) == (1 if key == "data" else 2)


def test_long_values_are_cut():
    (problem,) = find_problems({"model": {"num_layers": "x" * 10_000}})
    assert len(str(problem)) < 200
