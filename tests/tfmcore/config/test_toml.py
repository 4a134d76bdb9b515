"""Configs as files and on the command line: what is read, what is written, what is refused."""

import pytest

from tfmcore.config import Config, ConfigError, UserError, apply_overrides, find_preset, load_config, presets, to_toml


@pytest.fixture
def write(tmp_path):
    path = tmp_path / "été 🙂.toml"

    def write(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("comments", [False, True])
@pytest.mark.parametrize("name", presets())
def test_every_preset_survives_its_file(write, name, comments):
    config = find_preset(name).config()
    assert load_config(write(to_toml(config, comments))) == config


def test_comments_explain_every_option(write):
    text = to_toml(Config(), comments=True)
    for section in Config.model_fields:
        for info in getattr(Config(), section).__class__.model_fields.values():
            if not info.is_required() and info.get_default(call_default_factory=True) is not None:
                assert f"# {info.description}" in text


def test_preset_fills_in_only_a_file_that_is_not_whole(write):
    partial = load_config(write('[model]\npreset = "gpt2-mini"\nnum_layers = 3\n'))
    assert (partial.model.position, partial.model.num_layers) == ("learned", 3)
    whole = load_config(write('format = 1\n[model]\npreset = "gpt2-mini"\n'))
    assert whole.model.position == Config().model.position


def test_none_empties_what_file_or_preset_gave(write):
    path = write('[data]\nsource = "copy"\ntask = "translation"\n[model]\npreset = "t5-mini"\nhead_dim = 16\n')
    assert load_config(path).model.attention_scale == 1.0
    emptied = load_config(path, ["model.attention_scale=none", "model.head_dim=None"]).model
    assert (emptied.attention_scale, emptied.head_dim) == (None, None)


def test_unknown_preset_of_a_file(write):
    with pytest.raises(UserError, match="gpt2-mini"):
        load_config(write('[model]\npreset = "gpt2-minni"\n'))


BROKEN = {
    "not TOML": ("[model\n", "not valid TOML"),
    "truncated": ('[model]\nactivation = "swi', "not valid TOML"),
    "latin-1": ('[data]\npath = "é"\n'.encode("latin-1"), "not UTF-8 text (byte 15)"),
    "5000 digits": (f"[model]\nd_model = {'9' * 5000}\n", "not valid TOML"),
    "deep nesting": ("a = " + "[" * 100_000, "not valid TOML"),
    "NUL": (b"\0\0\0\0", "not valid TOML"),
    "larger than a config": ("#" * 1_000_001, "larger than a config"),
    "a later format": ("format = 2\n", "of format 2"),
}


@pytest.mark.fault(11)
@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_broken_file_is_said_in_one_line(write, text, said):
    with pytest.raises(UserError) as caught:
        load_config(write(text))
    assert said in str(caught.value)
    assert "été 🙂.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    "text",
    ["dropout = nan", "dropout = inf", "learning_rate = -inf", f"d_model = 0x{'f' * 5000}", "d_model = 1979-05-27"],
    ids=lambda text: text[:30],
)
def test_values_that_are_no_numbers(write, text):
    with pytest.raises(ConfigError) as caught:
        load_config(write(f"[model]\n{text}\n"))
    assert all(len(line) < 300 for line in str(caught.value).splitlines())


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(UserError, match="cannot be read"):
        load_config(tmp_path)


def test_byte_order_mark_and_empty_file(write):
    assert load_config(write(b"\xef\xbb\xbf[model]\nnum_layers = 2\n")).model.num_layers == 2
    assert load_config(write("")) == Config()


OVERRIDES = {
    "model.d_model=256": {"model": {"d_model": 256}},
    "model.dropout = 0.5": {"model": {"dropout": 0.5}},
    "model.final_norm=true": {"model": {"final_norm": True}},
    "data.path=été 🙂/a b.txt": {"data": {"path": "été 🙂/a b.txt"}},
    'data.path="quoted"': {"data": {"path": "quoted"}},
    "data.path=a=b": {"data": {"path": "a=b"}},
    "data.path=2024": {"data": {"path": "2024"}},
    "data.target_language=no": {"data": {"target_language": "no"}},
    'data.languages=["en", "de"]': {"data": {"languages": ["en", "de"]}},
    "data.columns.text=sentence": {"data": {"columns": {"text": "sentence"}}},
    "training.threads=none": {"training": {}},
}


@pytest.mark.parametrize(("override", "raw"), OVERRIDES.items(), ids=OVERRIDES)
def test_override(override, raw):
    changed = {}
    apply_overrides(changed, [override])
    assert changed == raw


@pytest.mark.parametrize("override", ["", "=", "model", "model=5", "model.d_model", ".d_model=5", "model.=5", "a..b=5"])
def test_override_of_another_form_is_refused(override):
    with pytest.raises(UserError, match=r"section\.name=value"):
        apply_overrides({}, [override])


def test_override_inside_a_value_is_refused():
    with pytest.raises(UserError, match="d_model is a value"):
        apply_overrides({"model": {"d_model": 5}}, ["model.d_model.x=5"])


def test_replaced_checks_anew():
    config = Config().replaced(model__num_layers=2, training__threads=None)
    assert config.model.num_layers == 2
    with pytest.raises(ConfigError, match="num_heads"):
        config.replaced(model__num_heads=3)
