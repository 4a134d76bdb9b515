"""The draft: every option can be set, checked, undone and done again."""

import pytest

from app.draft import Draft
from tfmcore.config import Config, options, presets


@pytest.mark.parametrize("option", options(), ids=lambda option: option.path)
def test_every_option_is_read_and_undone(qapp: object, option: object) -> None:
    draft = Draft()
    before = draft.value(option.path)  # type: ignore[attr-defined]
    assert before == option.default  # type: ignore[attr-defined]
    draft.set(option.path, "no such value")  # type: ignore[attr-defined]
    draft.undo()
    assert draft.value(option.path) == before  # type: ignore[attr-defined]
    assert not draft.problems


def test_undo_and_redo_walk_the_same_path(qapp: object) -> None:
    draft = Draft()
    for width in (64, 96, 256):
        draft.set("model.d_model", width)
    draft.undo()
    draft.undo()
    assert draft.value("model.d_model") == 64
    draft.redo()
    assert draft.value("model.d_model") == 96
    draft.set("model.num_layers", 2)
    draft.redo()  # what was undone before is gone
    assert (draft.value("model.d_model"), draft.value("model.num_layers")) == (96, 2)


def test_an_invalid_value_stays_visible_and_has_no_config(qapp: object) -> None:
    draft = Draft()
    draft.set("model.num_heads", 0)
    assert draft.value("model.num_heads") == 0
    assert draft.config is None
    assert [problem.field for problem in draft.problems] == ["model.num_heads"]
    draft.set("model.num_heads", draft.problems[0].nearest)
    assert draft.config is not None


def test_setting_the_same_value_is_no_step(qapp: object) -> None:
    draft = Draft()
    before = draft.raw
    draft.set("model.d_model", 64)
    draft.set("model.d_model", 64)
    draft.undo()
    assert draft.raw == before


def test_none_empties_an_optional_option(qapp: object) -> None:
    draft = Draft()
    draft.set("model.num_kv_heads", 2)
    draft.set("model.num_kv_heads", None)
    assert draft.value("model.num_kv_heads") is None


@pytest.mark.parametrize("name", list(presets()))
def test_every_preset_loads_as_one_step(qapp: object, name: str) -> None:
    draft = Draft()
    draft.load_preset(name)
    assert draft.preset == name
    assert draft.config == presets()[name].config()
    draft.undo()
    assert draft.config == Config()
