"""Every option has an editor that takes its default, shows what is wrong and mends it."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QScrollArea, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from app.draft import Draft
from app.forms import layout
from app.forms.derived import derived
from app.forms.field import make_editor, tooltip
from app.forms.section_form import SectionForm
from tfmcore.config import SOURCES, TASKS, Config, Option, options, presets

SECTIONS = tuple(Config.model_fields)
SHOWN = [option for option in options() if option.path not in layout.HIDDEN]
BOUNDED = [option for option in SHOWN if option.kind in ("int", "float")]


@pytest.fixture
def draft(qtbot) -> Draft:
    return Draft()


class Forms(dict[str, SectionForm]):
    """The form of each section that a test asks for."""

    def __init__(self, qtbot: QtBot, draft: Draft) -> None:
        self.qtbot, self.draft = qtbot, draft

    def __missing__(self, section: str) -> SectionForm:
        form = self[section] = SectionForm(section, self.draft)
        self.qtbot.addWidget(form)
        form.show()
        return form


@pytest.fixture
def forms(qtbot, draft) -> Forms:
    return Forms(qtbot, draft)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_form_holds_every_option_once(forms, section):
    shown = [option.path for option in layout.first(section)]
    shown += [option.path for group in layout.rest(section).values() for option in group]
    assert sorted(shown) == sorted(option.path for option in SHOWN if option.section == section)
    for path in shown:
        assert (
            forms[section].findChild(QWidget, f"field_{path.replace('.', '_')}") is forms[section].fields[path].widget
        )


def test_every_option_of_the_data_is_said_to_matter_to_something():
    named = {name for facts in (*SOURCES.values(), *TASKS.values()) for name in facts.options}
    assert {option.name for option in options("data")} == {*layout.OF_EVERY_SOURCE, *named}


def test_what_an_option_depends_on_is_there():
    assert set(layout.MATTERS) <= {option.path for option in options()}
    assert {other for other, _ in layout.MATTERS.values()} <= {option.path for option in options()}


@pytest.mark.parametrize("section", ["model", "training", "tokenizer"])
def test_the_essentials_stand_outside_the_fold(forms, section):
    form = forms[section]
    assert form.more.folded
    for option in options(section):
        if option.essential and option.path in form.fields:
            assert not form.is_folded(option.path)


@pytest.mark.parametrize("option", SHOWN, ids=lambda option: option.path)
def test_an_editor_takes_the_default_and_explains_itself(qtbot, option: Option):
    editor = make_editor(option)
    qtbot.addWidget(editor)
    said: list[object] = []
    editor.edited.connect(said.append)
    editor.set_value(option.default)
    assert editor.value == option.default
    assert not said
    tip = tooltip(option)
    assert option.title in tip
    assert "default" in tip
    assert option.unit in tip


@pytest.mark.parametrize("option", BOUNDED, ids=lambda option: option.path)
def test_a_value_out_of_range_is_said_and_mended(qtbot, draft, forms, option: Option):
    form, name = forms[option.section], f"{option.section}_{option.name}"
    line = form.findChild(QLineEdit, f"field_{name}")
    for text in ("1e30", "-1e30", "none of it"):
        line.setText(text)
        line.textEdited.emit(text)
        line.editingFinished.emit()
        assert option.path in [problem.field for problem in draft.problems]
        field = form.fields[option.path]
        assert field.has_problem
        assert not field.isHidden()
        if option.path in form.fields and form.more.isAncestorOf(field):
            assert not form.more.folded
        sentence, mend = form.findChild(QLabel, f"problem_{name}"), form.findChild(QPushButton, f"mend_{name}")
        assert sentence.text().endswith(".")
        assert line.accessibleDescription() == f"{sentence.text()} {option.help}"
        if mend.isHidden():  # an empty optional option has no nearest value but emptiness
            draft.set(option.path, option.default)
        else:
            qtbot.mouseClick(mend, Qt.MouseButton.LeftButton)
        assert option.path not in [problem.field for problem in draft.problems], draft.problems
        assert not field.has_problem
        assert line.accessibleDescription() == option.help


def test_typing_reaches_the_draft_when_it_pauses_and_keeps_the_text(qtbot, draft, forms):
    line = forms["training"].findChild(QLineEdit, "field_training_learning_rate")
    line.selectAll()
    qtbot.keyClicks(line, "1e-2")
    assert draft.value("training.learning_rate") == 1e-3
    qtbot.waitUntil(lambda: draft.value("training.learning_rate") == 1e-2)
    assert line.text() == "1e-2"
    draft.undo()
    assert line.text() == "0.001"


def test_a_field_says_why_the_preset_has_its_value(draft, forms):
    draft.load_preset("bert-base")
    tip = forms["model"].fields["model.norm_placement"].widget.toolTip()
    assert "BERT, base: After the sum" in tip
    draft.load_preset("nano-decoder")
    assert "BERT" not in forms["model"].fields["model.norm_placement"].widget.toolTip()


def test_a_shortcut_finds_what_was_typed_just_before(qtbot, draft, forms):
    line = forms["training"].findChild(QLineEdit, "field_training_steps")
    line.selectAll()
    qtbot.keyClicks(line, "2k")
    qtbot.keyPress(line, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert draft.value("training.steps") == 2000


def test_arrow_keys_step_also_from_a_derived_value(qtbot, draft, forms):
    heads, width = (forms["model"].fields[f"model.{name}"].widget for name in ("num_heads", "d_ff"))
    qtbot.keyPress(heads, Qt.Key.Key_Up)
    assert draft.value("model.num_heads") == 5
    assert [problem.field for problem in draft.problems] == ["model.num_heads"]
    draft.undo()
    assert width.placeholderText() == "empty: 344"
    qtbot.keyPress(width, Qt.Key.Key_Up)
    assert draft.value("model.d_ff") == 376
    draft.set("model.d_model", 96)
    draft.set("model.d_ff", None)
    assert width.placeholderText() == "empty: 256"


@pytest.mark.parametrize("path", [option.path for option in SHOWN if option.optional])
def test_every_optional_option_says_what_empty_means(path):
    for preset in presets().values():
        _, words = derived(preset.config(), path)
        assert words


def test_a_dot_marks_what_differs_from_the_preset_and_returns_to_it(qtbot, draft, forms):
    draft.load_preset("bert-mini")
    mark = forms["model"].findChild(QToolButton, "reset_model_dropout")
    assert mark.isHidden()
    draft.set("model.dropout", 0.3)
    assert not mark.isHidden()
    assert "0.1" in mark.toolTip()
    qtbot.mouseClick(mark, Qt.MouseButton.LeftButton)
    assert draft.value("model.dropout") == 0.1
    assert mark.isHidden()


@pytest.mark.parametrize("name", presets())
def test_no_preset_is_marked_as_changed_nor_has_problems(draft, forms, name):
    draft.load_preset(name)
    for form in map(forms.__getitem__, SECTIONS):
        assert not [path for path, field in form.fields.items() if field.has_problem]
        assert all(form.findChild(QToolButton, f"reset_{p.replace('.', '_')}").isHidden() for p in form.fields)
        for path, field in form.fields.items():
            assert field.value == draft.value(path), path


def test_options_without_effect_are_hidden(draft, forms):
    fields = forms["model"].fields
    assert not fields["model.rope_theta"].isHidden()
    assert fields["model.num_position_buckets"].isHidden()
    draft.load_preset("t5-mini")
    assert fields["model.rope_theta"].isHidden()
    assert not fields["model.num_position_buckets"].isHidden()
    assert not fields["model.num_decoder_layers"].isHidden()


def test_revealing_a_folded_field_unfolds_scrolls_and_focuses(qtbot, draft):
    form, area = SectionForm("model", draft), QScrollArea(widgetResizable=True)
    area.setWidget(form)
    qtbot.addWidget(area)
    area.resize(320, 200)
    with qtbot.waitExposed(area):
        area.show()
    form.reveal(["model.initialization"])
    field = form.fields["model.initialization"]
    qtbot.waitUntil(lambda: area.focusWidget() is field.widget)
    assert not form.more.folded
    assert not field.visibleRegion().isEmpty()


def test_an_ampersand_in_the_value_that_mends_is_no_key(forms):
    forms["tokenizer"].complain("tokenizer.path", "the model keeps its own tokenizer", "R&D/tokenizer.json")
    mend = forms["tokenizer"].findChild(QPushButton, "mend_tokenizer_path")
    assert mend.text() == "use R&&D/tokenizer.json"
    assert mend.shortcut().isEmpty()


def test_what_the_engine_says_stays_until_the_draft_changes(draft, forms):
    field = forms["data"].fields["data.path"]
    draft.set_many({"data.source": "file", "data.path": "/x.csv"})
    forms["data"].complain("data.path", "row 3 has 2 columns, the header 3")
    assert field.has_problem
    assert forms["data"].findChild(QLabel, "problem_data_path").text() == "Row 3 has 2 columns, the header 3."
    draft.set("data.path", "/y.csv")
    assert not field.has_problem


@pytest.mark.parametrize(
    ("path", "words", "value"),
    [("training.freeze", "head, layers.0-3", ["head", "layers.0-3"]), ("training.parallel_sizes", "2 4", [2, 4])],
)
def test_a_list_is_written_as_words(forms, draft, qtbot, path, words, value):
    section, name = path.split(".")
    line = forms[section].fields[path].widget
    line.clear()
    qtbot.keyClicks(line, words)
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert draft.raw[section][name] == value
