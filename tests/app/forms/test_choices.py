"""A list whose items come from a known set is ticked in a menu: in order, no more than it can have, back by undo."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QToolButton

from app.draft import Draft
from app.forms import layout
from app.forms.choices import ChoicesEditor
from app.forms.field import make_editor, value_words
from app.forms.section_form import SectionForm
from tfmcore.config import Config, options

OPTIONS = [option for option in options() if option.kind == "list" and option.choices]
PARALLEL = "training.parallel"


@pytest.fixture
def draft(qtbot) -> Draft:
    return Draft()


@pytest.fixture
def form(qtbot, draft) -> SectionForm:
    form = SectionForm("training", draft)
    form.more.set_folded(False)
    form.resize(400, 2000)
    qtbot.addWidget(form)
    with qtbot.waitExposed(form):
        form.show()
    return form


@pytest.fixture
def editor(form) -> ChoicesEditor:
    return form.findChild(ChoicesEditor, "field_training_parallel")


def click(qtbot, editor: ChoicesEditor, *choices: str) -> None:
    """Open the menu with the mouse and click at some of its items."""
    if not editor.menu.isVisible():
        qtbot.mouseClick(editor, Qt.MouseButton.LeftButton)
    for choice in choices:
        place = editor.menu.actionGeometry(editor.ticks[choice]).center()
        qtbot.mouseClick(editor.menu, Qt.MouseButton.LeftButton, pos=place)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.path)
def test_every_list_of_choices_is_ticked(qtbot, option):
    editor = make_editor(option)
    qtbot.addWidget(editor)
    editor.set_value([])
    assert tuple(editor.ticks) == option.choices
    most, said = option.max_items or len(option.choices), []
    editor.edited.connect(said.append)
    click(qtbot, editor, *reversed(option.choices))
    assert editor.menu.isVisible()
    assert editor.value == list(reversed(option.choices))[:most]
    assert said == [editor.value[:number] for number in range(1, most + 1)]
    assert editor.currentText() == value_words(option, editor.value)
    click(qtbot, editor, *editor.value)
    assert editor.value == []


def test_the_order_is_that_of_the_ticks_and_each_is_a_step_of_undo(qtbot, draft, editor):
    assert editor.shown_text() == "one process"
    click(qtbot, editor, "tensor", "data")
    assert draft.value(PARALLEL) == ["tensor", "data"]
    assert editor.currentText() == "tensor, data"
    draft.undo()
    assert editor.value == ["tensor"]
    draft.undo()
    assert editor.shown_text() == "one process"
    draft.redo()
    assert editor.ticks["tensor"].isChecked()
    click(qtbot, editor, "tensor", "data", "tensor")
    assert draft.value(PARALLEL) == ["data", "tensor"]


def test_no_third_can_be_ticked(qtbot, draft, editor):
    click(qtbot, editor, "data", "tensor", "fsdp")
    assert draft.value(PARALLEL) == ["data", "tensor"]
    assert [choice for choice, tick in editor.ticks.items() if not tick.isEnabled()] == ["pipeline", "fsdp"]
    assert editor.ticks["fsdp"].toolTip() == "No more than 2: untick another first"
    click(qtbot, editor, "data", "fsdp")
    assert draft.value(PARALLEL) == ["tensor", "fsdp"]


def test_keys_open_tick_and_close(qtbot, draft, editor):
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key.Key_Space)
    assert editor.menu.isVisible()
    qtbot.keyClick(editor.menu, Qt.Key.Key_Down)
    qtbot.keyClick(editor.menu, Qt.Key.Key_Space)
    assert draft.value(PARALLEL) == ["data"]
    assert editor.menu.isVisible()
    qtbot.keyClick(editor.menu, Qt.Key.Key_Up)
    qtbot.keyClick(editor.menu, Qt.Key.Key_Return)
    assert draft.value(PARALLEL) == ["data", "pipeline"]
    assert not editor.menu.isVisible()
    qtbot.keyClick(editor, Qt.Key.Key_Space)
    qtbot.keyClick(QApplication.activePopupWidget(), Qt.Key.Key_Escape)
    assert not editor.menu.isVisible()


def test_a_pair_that_cannot_be_is_said_and_mended(qtbot, form, draft, editor):
    click(qtbot, editor, "pipeline", "fsdp")
    assert form.findChild(QLabel, "problem_training_parallel").text() == "Cannot be both fsdp and pipeline."
    assert editor.property("invalid")
    editor.hidePopup()
    mend = form.findChild(QPushButton, "mend_training_parallel")
    assert mend.text() == "use pipeline"
    qtbot.mouseClick(mend, Qt.MouseButton.LeftButton)
    assert editor.value == ["pipeline"]
    assert not form.fields[PARALLEL].has_problem


def test_the_dot_returns_to_the_preset(qtbot, form, draft, editor):
    mark = form.findChild(QToolButton, "reset_training_parallel")
    click(qtbot, editor, "data")
    editor.hidePopup()
    assert "the preset has one process" in mark.toolTip()
    qtbot.mouseClick(mark, Qt.MouseButton.LeftButton)
    assert draft.value(PARALLEL) == []
    assert mark.isHidden()


def test_what_is_none_of_the_choices_is_shown_and_goes_with_the_next_tick(qtbot, draft, editor):
    draft.set(PARALLEL, ["data", "nonsense"])
    assert editor.currentText() == "data, nonsense"
    click(qtbot, editor, "tensor")
    assert draft.value(PARALLEL) == ["data", "tensor"]


def test_languages_are_ticked_by_their_names(qtbot):
    option = next(option for option in options("data") if option.name == "languages")
    editor = make_editor(option)
    qtbot.addWidget(editor)
    editor.set_value(["hu", "en"])
    assert editor.currentText() == "Hungarian, English"
    assert editor.ticks["fi"].text() == "Finnish"


def test_every_such_option_is_in_a_form():
    shown = {option.path for name in Config.model_fields for option in layout.first(name)}
    shown |= {option.path for name in Config.model_fields for some in layout.rest(name).values() for option in some}
    assert {option.path for option in OPTIONS} <= shown
