"""A config that begins from a model: what the model fills in, what may be chosen, what is refused by name."""

import pytest

from tfmcore.config import Config, ConfigError, ModelConfig, SavedModel, UserError, find_preset, with_base

SHAPE = {"architecture": "encoder", "d_model": 24, "num_layers": 3, "context_length": 40, "dropout": 0.2}


@pytest.fixture
def base(tmp_path):
    """Writes the description of a model; no weights are needed to fill a config."""

    def write(task="masked_language_modeling", **fields):
        saved = SavedModel(task=task, vocab_size=50, model=ModelConfig(**SHAPE | fields))
        saved.write(tmp_path)
        return saved

    return write


@pytest.fixture
def begin(tmp_path):
    """The config of a raw one that begins from the model; it is called `mine`."""

    def begin(raw=None, *overrides):
        raw = {"data": {"source": "cldr_language", "task": "classification"}, **(raw or {})}
        raw["training"] = raw.get("training", {}) | {"finetune_from": "mine"}
        return Config.parse(with_base(raw, lambda name: tmp_path / {"mine": ""}[name], overrides))

    return begin


def problems(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return {problem.field: problem.nearest for problem in caught.value.problems}


def test_shape_and_tokenizer_are_filled_in(base, begin, tmp_path):
    saved, config = base(), begin()
    assert config.model == saved.model
    assert (config.tokenizer.kind, config.tokenizer.path) == ("file", str(tmp_path / "tokenizer.json"))
    assert config.training.finetune_from == str(tmp_path)
    assert Config.parse(config.raw()) == config


def test_what_a_file_or_preset_says_of_the_shape_gives_way(base, begin):
    saved = base()
    config = begin({"model": {"d_model": 99, "dropout": 0.5, "pooling": "last"}, "tokenizer": {"kind": "bpe"}})
    assert config.model == saved.model.model_copy(update={"dropout": 0.5, "pooling": "last"})
    preset = find_preset("tell-languages").raw(["training.finetune_from=mine"])
    assert begin(preset).model.num_layers == 3


def test_an_override_that_says_otherwise_is_named(base, begin):
    base()
    found = problems(begin, {}, "model.d_model=32", "model.d_ff=7", "tokenizer.kind=char", "model.num_layers=3")
    assert found == {"model.d_model": 24, "model.d_ff": None, "tokenizer.kind": "file"}
    assert problems(begin, {}, "model.d_model=none") == {"model.d_model": 24}


def test_what_does_not_change_the_model_may_be_set(base, begin):
    base()
    words = ["model.dropout=0.3", "model.attention_dropout=0.1", "model.context_length=16", "model.pooling=first"]
    model = begin({}, *words).model
    assert (model.dropout, model.attention_dropout, model.context_length, model.pooling) == (0.3, 0.1, 16, "first")


def test_learned_positions_and_a_head_that_stays_keep_their_shape(base, begin):
    base(task="classification", position="learned")
    assert problems(begin, {}, "model.context_length=16", "model.pooling=first") == {
        "model.context_length": 40,
        "model.pooling": "mean",
    }


def test_a_task_that_its_kind_cannot_learn_says_what_it_can(base, begin):
    base()
    with pytest.raises(ConfigError, match=r"mine is an encoder, which can learn masked_language_modeling, .* not lang"):
        begin({"data": {"task": "language_modeling"}})
    base(task="language_modeling", architecture="decoder")
    with pytest.raises(ConfigError, match=r"mine is a decoder, which can learn language_modeling, .*not translation"):
        begin({"data": {"source": "copy", "task": "translation"}})


def test_without_a_model_nothing_changes():
    raw = {"model": {"d_model": 32}}
    assert with_base(raw, lambda name: pytest.fail(name)) is raw


@pytest.mark.parametrize("wrong", [{"training": 3}, {"training": {"finetune_from": 3}}, {"training": []}])
def test_nonsense_is_left_to_the_check(wrong):
    assert with_base(wrong, lambda name: pytest.fail(name)) is wrong


def test_nonsense_beside_a_model_is_replaced_or_refused(base, begin):
    base()
    assert begin({"model": 3}).model.d_model == 24
    assert "data.task" in problems(begin, {"data": {"task": 3}})


def test_a_model_that_is_not_there(begin):
    with pytest.raises(UserError, match=r"training\.finetune_from: .* contains no model"):
        begin()
