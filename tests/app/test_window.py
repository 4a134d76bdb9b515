"""The window: every page by click and by key, both themes, one place for errors, and a second window on a workspace."""

import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPoint, QPointF, QSize, Qt, QTimer
from PySide6.QtGui import QAccessible, QAction, QGuiApplication, QScreen, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QGraphicsScene,
    QLabel,
    QListView,
    QMenu,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.engine_client import EngineClient
from app.main import install_hook, main, raise_other, server_name
from app.panels.pinned import Pinned
from app.session import Session
from app.theme import DARK, LIGHT, apply_theme, contrast
from app.widgets.bars import ProbabilityBars
from app.widgets.error_bar import ErrorBar
from app.widgets.token_strip import TokenStrip
from app.window import PAGES, SMALLEST, MainWindow, PageArea
from app.zoom import FACTOR, apply_zoom
from tests.app.conftest import add_checkpoint, until
from tests.app.fake_engine import FakeEngine, connect, open_task
from tfmcore.config import TASKS
from tfmcore.messages import Describe
from tfmcore.runs import Exit, Run, RunState


@pytest.fixture
def window(session: Session, qtbot: QtBot, qapp: QApplication) -> MainWindow:
    apply_theme(qapp, "dark")
    window = MainWindow(session)
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.mark.parametrize(
    ("room", "size"),
    [(QSize(1920, 1040), (1280, 800)), (QSize(1366, 728), (1280, 696)), (QSize(853, 533), (853, 501))],
)
def test_the_first_window_fits_the_screen(
    session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, room: QSize, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(QScreen, "availableSize", lambda screen: room)
    window = MainWindow(session)
    qtbot.addWidget(window)
    assert window.size().toTuple() == size
    window.show()
    page = window.findChild(QWidget, "page_home")
    qtbot.waitUntil(lambda: page.width() >= SMALLEST.width() - 81)  # if need be, the pages scroll


def test_pages_with_much_text_are_as_high_as_the_window(qtbot: QtBot) -> None:
    area, content = PageArea(), QWidget()
    qtbot.addWidget(area)
    column = QVBoxLayout(content)
    column.addWidget(QLabel("words " * 500, wordWrap=True))
    content.setMinimumSize(300, 100)
    area.setWidget(content)
    area.show()
    for size, least in ((QSize(400, 200), False), (QSize(200, 80), True)):
        area.resize(size)
        room = area.viewport().size()
        assert content.size() == room.expandedTo(QSize(300, 100)), size
        assert (content.height() > room.height()) == least


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_opens_explains_itself_and_fits(window: MainWindow, qtbot: QtBot, page: object) -> None:
    window.resize(1280, 800)
    qtbot.mouseClick(window.findChild(QToolButton, f"rail_{page.name}"), Qt.MouseButton.LeftButton)  # type: ignore[attr-defined]
    shown = window.findChild(QWidget, f"page_{page.name}")  # type: ignore[attr-defined]
    assert shown.isVisible()
    assert len(shown.help) > 80
    assert window.width() == 1280, "the page must not need more width"
    assert window.height() == 800, "nor more height"


class Windows(QObject):
    """The widgets that come up as windows of their own while it watches the application."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = list[str]()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(watched.objectName() or type(watched).__name__)
        return False


def test_no_part_of_a_page_is_a_window_of_its_own_before_it_stands_in_the_page(
    session: Session, qtbot: QtBot, qapp: QApplication, run: Run
) -> None:
    """It would be seen for a moment, and the window would no longer hear the keys."""
    until(qtbot, session, lambda: session.runs.facts)
    session.draft.load_preset("nano-decoder", ["model.num_layers=7", 'training.parallel=["data"]'])
    windows = Windows()
    qapp.installEventFilter(windows)
    window = MainWindow(session)
    qtbot.addWidget(window)
    window.show()
    for page in PAGES:
        window.show_page(page.name)
    assert windows.shown == ["window"]


def test_pages_have_keys(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)
    assert window.findChild(QWidget, "page_train").isVisible()


@pytest.mark.parametrize(
    ("path", "typed", "value"), [("model.num_layers", "7", 7), ("training.sample_prompts", "Once", ["Once"])]
)
def test_undo_and_redo_in_a_field_are_steps_of_the_draft(
    window: MainWindow, session: Session, qtbot: QtBot, path: str, typed: str, value: object
) -> None:
    draft = session.draft
    before, dropout = draft.value(path), draft.value("model.dropout")
    draft.set("model.dropout", 0.5)
    with qtbot.waitActive(window):
        window.activateWindow()
    session.show_field(path)
    field = window.findChild(QWidget, f"field_{path.replace('.', '_')}")
    qtbot.waitUntil(field.hasFocus)
    field.selectAll()
    qtbot.keyClicks(field, typed)
    for keys, then in (
        ("Ctrl+Z", (before, 0.5)),
        ("Ctrl+Z", (before, dropout)),
        ("Ctrl+Y", (before, 0.5)),
        ("Ctrl+Shift+Z", (value, 0.5)),
    ):
        qtbot.keySequence(field, keys)
        assert (draft.value(path), draft.value("model.dropout")) == then, keys
        assert field.value == then[0]


def test_help_lists_every_shortcut(window: MainWindow, qtbot: QtBot) -> None:
    window.show_help()
    dialog = window.findChild(QDialog, "help")
    texts = {label.text() for label in dialog.findChildren(QLabel)}
    assert {"F1 or ?", "Ctrl+1", "Train the designed model"} <= texts
    dialog.reject()


def test_help_scrolls_where_the_screen_is_small(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QScreen, "availableSize", lambda screen: QSize(960, 560))
    window.show_page("train")
    window.show_help()
    dialog = window.findChild(QDialog, "help")
    assert dialog.height() < 560
    for label in dialog.findChildren(QLabel):
        assert label.height() >= label.heightForWidth(label.width()), label.text()
    dialog.reject()


@pytest.fixture
def as_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.actions.keys_name", lambda keys: keys.toString().replace("Ctrl+", "⌘"))


@pytest.fixture
def whole(window: MainWindow, session: Session) -> MainWindow:
    """Every page has been shown, and every panel of the Use page."""
    connect(session, FakeEngine(session))
    for page in PAGES:
        window.show_page(page.name)
    window.show_page("use")
    for task in TASKS:
        open_task(session, task)
    return window


def test_every_action_and_button_has_a_name_that_stays(whole: MainWindow) -> None:
    actions = [action for action in whole.findChildren(QAction) if is_ours(action)]
    assert len(actions) > 60
    for action in actions:
        assert action.objectName().startswith("action_"), (action.text(), action.parent().objectName())
        assert action.text(), action.objectName()
    buttons = whole.findChildren(QAbstractButton)
    assert len(buttons) > 100
    for button in buttons:
        assert name_of(button), (button.text(), button.parent().objectName())


def test_whatever_tab_reaches_can_be_read_aloud(whole: MainWindow) -> None:
    """A field has the name of its label; a button without one has none to show yet."""
    found = [
        widget
        for widget in whole.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.window() is whole and not widget.focusProxy()
    ]
    assert len(found) > 200
    for widget in found:
        read = QAccessible.queryAccessibleInterface(widget)
        if not isinstance(widget, QAbstractButton):
            assert read.text(QAccessible.Text.Name), (widget.objectName(), widget.parent().objectName())
        if isinstance(widget, QComboBox):  # on Linux its name is what is chosen
            labelled = any(relation & QAccessible.RelationFlag.Label for _, relation in read.relations())
            assert labelled or read.text(QAccessible.Text.Description), widget.objectName()
    assert whole.findChild(QTabWidget, "run_tabs").tabBar().accessibleName()


def test_buttons_that_look_alike_are_told_apart_by_those_who_hear_them(window: MainWindow) -> None:
    page = window.findChild(QWidget, "page_home")
    read = map(QAccessible.queryAccessibleInterface, page.findChildren(QPushButton))
    names = [each.text(QAccessible.Text.Name) for each in read]
    assert len(names) == len(set(names)) > 10


def test_whatever_tab_reaches_shows_that_it_hears_the_keys(
    window: MainWindow, session: Session, qtbot: QtBot, run: Run
) -> None:
    engine = connect(session, FakeEngine())
    until(qtbot, session, lambda: session.runs.facts)
    with qtbot.waitActive(window):
        window.activateWindow()
    reached = 0
    for facts in PAGES:
        window.show_page(facts.name)
        if facts.name in ("use", "inspect"):
            open_task(session, "classification")
            page: Any = window.findChild(QWidget, f"page_{facts.name}")
            (page.panel if facts.name == "use" else page._pinned).act()
            qtbot.waitUntil(lambda: not engine.busy)
        page = window.findChild(QWidget, f"page_{facts.name}")
        for widget in page.findChildren(QWidget):
            if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and not widget.focusProxy():
                page.setFocus()
                before = widget.grab().toImage()
                widget.setFocus(Qt.FocusReason.TabFocusReason)
                empty = isinstance(widget, TokenStrip | ProbabilityBars) and not widget.table()[1:]
                assert widget.grab().toImage() != before or empty, (facts.name, widget.objectName())
                reached += 1
    assert reached > 80


@pytest.mark.parametrize(
    ("page", "task", "names"),
    [
        ("home", "", ["action_own_data", "action_train_reverse", "recent_runs"]),
        ("model", "", ["field_model_preset", "field_model_d_model", "diagram", "scroll_costs", "action_try_batch"]),
        ("use", "translation", ["field_translate_text", "action_translate", "examples_translate_0", "hypotheses"]),
        ("inspect", "translation", ["field_inspect_text", "examples_inspect_0", "kind_cross", "thumbnails"]),
    ],
)
def test_tab_goes_through_a_page_as_one_reads_it(
    window: MainWindow, session: Session, qtbot: QtBot, page: str, task: str, names: list[str]
) -> None:
    engine = connect(session, FakeEngine(("encoder", "decoder", "cross")))
    window.show_page(page)
    if task:
        open_task(session, task)
    if page == "inspect":
        window.findChild(Pinned).act()
        qtbot.waitUntil(lambda: not engine.busy)
    order = [window.findChild(QWidget, f"page_{page}")]
    while (after := order[-1].nextInFocusChain()) is not order[0]:
        order.append(after)
    assert [widget.objectName() for widget in order if widget.objectName() in names] == names


def name_of(button: QAbstractButton) -> str:
    """Its own, or in a line of text that of the action it stands for."""
    action = button.defaultAction() if isinstance(button, QToolButton) else None
    return button.objectName() or (action.objectName() if action else "")


def is_ours(action: QAction) -> bool:
    """Neither a line in a menu, nor a menu's own, nor one that Qt or pyqtgraph keeps for itself."""
    kept = isinstance(action.parent(), QMenu | QGraphicsScene) or action.objectName().startswith("_q_")
    return not action.isSeparator() and not kept


def test_the_wheel_neither_turns_nor_enters_what_a_page_scrolls_past(whole: MainWindow) -> None:
    fields = [field for kind in (QComboBox, QAbstractSpinBox, QSlider) for field in whole.findChildren(kind)]
    fields = [field for field in fields if field.objectName() != "field_smoothing"]  # in the bar above the curves
    assert len(fields) > 30
    none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False
    for field in fields:
        name, at = field.metaObject().userProperty().name(), QPointF(field.rect().center())
        before = field.property(name)
        for notch in (-120, 120):
            event = QWheelEvent(at, field.mapToGlobal(at), QPoint(), QPoint(0, notch), *none)
            QApplication.sendEvent(field, event)
            assert field.property(name) == before, field.objectName()
        assert field.focusPolicy() == Qt.FocusPolicy.StrongFocus, field.objectName()


def test_every_act_of_a_page_has_its_own_key_and_stands_in_the_help(whole: MainWindow) -> None:
    for facts in PAGES:
        whole.show_page(facts.name)
        page = whole.findChild(QWidget, f"page_{facts.name}")
        acts = [action for action in page.actions() if is_ours(action)]
        keys = [sequence.toString() for action in acts for sequence in action.shortcuts()]
        assert len(keys) >= len(acts), [action.text() for action in acts if not action.shortcuts()]
        assert len(set(keys)) == len(keys), keys
        assert not {"Ctrl+Shift+Q", "Ctrl+Alt+Q"}.intersection(keys), "by which one logs out of macOS, or quits"
        whole.show_help()
        dialog = whole.findChild(QDialog, "help")
        texts = {label.text() for label in dialog.findChildren(QLabel)}
        others = [action for action in whole.actions() if not {k.toString() for k in action.shortcuts()} & {*keys}]
        assert {action.text() for action in (*others, *acts)} <= texts
        assert len(whole.actions()) - len(others) <= 1, "a page takes Ctrl+Return for what it does, and no other key"
        said = [label.text() for label in dialog.findChildren(QLabel)]
        assert said.count("Ctrl+Return") <= 1
        dialog.reject()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_keys_have_the_names_that_the_system_gives_them(as_on_macos: None, whole: MainWindow) -> None:
    said = [widget.toolTip() for widget in whole.findChildren(QWidget)]
    for facts in PAGES:
        whole.show_page(facts.name)
        whole.show_help()
        dialog = whole.findChild(QDialog, "help")
        said += [label.text() for label in dialog.findChildren(QLabel)]
        dialog.reject()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert sum("⌘" in words for words in said) > 60
    assert not [words for words in said if "Ctrl+" in words]


def test_the_keys_of_a_page_are_heard_as_soon_as_it_is_shown(whole: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitActive(whole):
        whole.activateWindow()
    for facts in PAGES:
        whole.show_page(facts.name)
        assert whole.findChild(QWidget, f"page_{facts.name}").isAncestorOf(QApplication.focusWidget()) or (
            QApplication.focusWidget() is whole.findChild(QWidget, f"page_{facts.name}")
        )


@pytest.mark.fault(35)
def test_an_exception_in_a_slot_is_said_and_logged_and_the_window_lives(
    window: MainWindow, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(logging.root, "handlers", [])
    install_hook(session)
    log = logging.root.handlers[0]
    QTimer.singleShot(0, lambda: 1 // 0)
    qtbot.waitUntil(lambda: window.findChild(QWidget, "notice").isVisible())
    sentence = window.findChild(QLabel, "notice_sentence").text()
    assert "division" in sentence
    assert "\n" not in sentence
    assert "Traceback" in window.findChild(QPlainTextEdit, "notice_text").toPlainText()
    qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert window.findChild(QWidget, "page_data").isVisible()
    log.close()
    assert log.encoding == "utf-8"  # whatever the system's is: names are in any language


def test_a_problem_leads_to_its_field(window: MainWindow, session: Session, qtbot: QtBot) -> None:
    session.draft.set("model.num_heads", 0)
    session.start_run()
    assert window.findChild(QWidget, "page_model").isVisible()
    assert window.findChild(QWidget, "notice").isVisible()
    assert not session.runs.facts


def test_the_theme_and_the_page_are_remembered(window: MainWindow, session: Session) -> None:
    window.show_page("train")
    window.next_theme()
    assert session.settings.get("window.page", "") == "train"
    assert session.settings.get("window.theme", "system") == "light"


@pytest.mark.fault(32)
def test_damaged_settings_are_said_at_the_start(own_folders: Path, qtbot: QtBot) -> None:
    (own_folders / "settings.toml").write_bytes(b"\xff\x00")
    session = Session(own_folders)
    window = MainWindow(session)
    qtbot.addWidget(window)
    window.show()
    assert "defaults are used" in window.findChild(QLabel, "notice_sentence").text()
    session.close()


@pytest.mark.parametrize("key", [False, True])
def test_a_deleted_run_comes_back_by_a_click_or_a_key(
    window: MainWindow, session: Session, qtbot: QtBot, run: Run, key: bool
) -> None:
    Exit(state=RunState.FINISHED, step=20).write(run.folder / "exit.json")
    until(qtbot, session, lambda: [facts.state for facts in session.runs.facts] == [RunState.FINISHED])
    window.show_page("train")
    table = window.findChild(QListView, "run_list")
    with qtbot.waitActive(window):
        window.activateWindow()
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_Delete)
    until(qtbot, session, lambda: not session.runs.facts)
    offer = window.findChild(QPushButton, "offer_act")
    qtbot.waitUntil(offer.isVisible)
    if key:
        qtbot.keySequence(table, "Ctrl+Z")
    else:
        qtbot.mouseClick(offer, Qt.MouseButton.LeftButton)
    until(qtbot, session, lambda: [facts.id for facts in session.runs.facts] == [run.id])
    qtbot.waitUntil(lambda: not offer.isVisible())


@pytest.mark.parametrize("name", ["train", "compare"])
def test_nothing_stands_upon_something_else_in_the_least_window(
    window: MainWindow, session: Session, qtbot: QtBot, run: Run, name: str
) -> None:
    until(qtbot, session, lambda: session.runs.facts)
    window.show_page(name)
    window.resize(SMALLEST)
    page = window.findChild(QWidget, f"page_{name}")
    QCoreApplication.processEvents()
    area = window.findChild(PageArea)
    assert area.horizontalScrollBar().maximum() == area.verticalScrollBar().maximum() == 0
    for kind in (QPushButton, QLabel):  # a choice ends in "…"
        for each in page.findChildren(kind):
            if each.isVisible() and not (isinstance(each, QLabel) and each.wordWrap()):
                assert each.width() >= each.minimumSizeHint().width(), each.objectName()


def test_escape_dismisses_a_message_but_no_offer(window: MainWindow, session: Session, qtbot: QtBot) -> None:
    session.offer("It was deleted.", "Undo", lambda: None)
    session.notify("error", "It failed.")
    qtbot.keyClick(window.findChild(QWidget, "page_home"), Qt.Key.Key_Escape)
    assert not window.findChild(QWidget, "notice").isVisible()
    qtbot.keyClick(window.findChild(QWidget, "page_home"), Qt.Key.Key_Escape)
    assert window.findChild(QWidget, "offer").isVisible()


def test_an_offer_goes_when_it_no_longer_holds(window: MainWindow, session: Session) -> None:
    holds = [True]
    session.offer("It waits.", "Train now", lambda: None, lambda: holds[0])
    session.runs.changed.emit()
    assert window.findChild(QWidget, "offer").isVisible()
    holds.clear()
    holds.append(False)
    session.runs.changed.emit()
    assert not window.findChild(QWidget, "offer").isVisible()


def test_an_offer_comes_back_when_the_one_upon_it_goes(window: MainWindow, session: Session, qtbot: QtBot) -> None:
    bar, sentence = window.findChild(QWidget, "offer"), window.findChild(QLabel, "offer_sentence")
    done, held = list[str](), {"B": True, "C": True, "D": True}
    for name in "ABBCD":
        session.offer(name, "Do it", lambda name=name: done.append(name), lambda name=name: held.get(name, True))
    assert sentence.text() == "D"
    held["C"] = held["D"] = False
    session.runs.changed.emit()
    assert sentence.text() == "B"
    qtbot.wait(QGuiApplication.styleHints().mouseDoubleClickInterval() + 50)
    for _ in range(2):  # the second of a double click is not for the one that has come back
        window.findChild(QPushButton, "offer_dismiss").click()
        window.findChild(QPushButton, "offer_act").click()
    assert sentence.text() == "A", "the same is not said twice"
    qtbot.wait(QGuiApplication.styleHints().mouseDoubleClickInterval() + 50)
    window.findChild(QPushButton, "offer_act").click()
    assert done == ["A"]
    assert not bar.isVisible()


def test_why_an_act_failed_goes_when_it_succeeds(
    window: MainWindow, session: Session, qtbot: QtBot, run: Run, tmp_path: Path
) -> None:
    notice, folder = window.findChild(QWidget, "notice"), add_checkpoint(run).parent.parent
    session.open_model(str(tmp_path))
    qtbot.waitUntil(notice.isVisible)
    session.succeed("start")
    assert notice.isVisible(), "that has nothing to do with it"
    session.open_model(str(folder))
    qtbot.waitUntil(lambda: not notice.isVisible())
    assert session.model


@pytest.mark.parametrize(
    "mend", [lambda session: session.draft.set("model.num_heads", 4), lambda session: session.succeed("start")]
)
def test_why_a_run_cannot_start_goes_when_it_could_or_one_did(
    window: MainWindow, session: Session, mend: Callable[[Session], None]
) -> None:
    notice = window.findChild(QWidget, "notice")
    session.draft.set("model.num_heads", 3)
    session.start_run()
    assert "“Heads”" in window.findChild(QLabel, "notice_sentence").text()
    session.draft.set("model.dropout", 0.5)
    assert notice.isVisible()
    mend(session)
    assert not notice.isVisible()


def test_a_message_takes_no_offer_away(window: MainWindow, session: Session) -> None:
    done: list[bool] = []
    session.offer("It was deleted.", "Undo", lambda: done.append(True))
    session.notify("warning", "Something else.")
    assert window.findChild(QLabel, "notice_sentence").text() == "Something else."
    window.findChild(QPushButton, "offer_act").click()
    assert done == [True]
    assert not window.findChild(QWidget, "offer").isVisible()


def test_text_is_read_in_both_themes_after_a_switch(window: MainWindow, qapp: QApplication) -> None:
    for look in (LIGHT, DARK):
        apply_theme(qapp, look.name)
        for label in window.findChildren(QLabel):
            colour = label.palette().color(label.foregroundRole()).name()
            assert contrast(colour, look.surface) >= 4.5, (look.name, label.text())


def test_a_closed_window_leaves_no_engine_behind(
    window: MainWindow, session: Session, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(EngineClient, "program", [sys.executable, "-c", "import time; time.sleep(60)"])
    session.engine.ask(Describe, lambda reply, _: None, model="m")
    assert window.findChild(QLabel, "status_text").text() == "The model engine is working …"
    process_id = session.engine.process_id
    window.close()
    assert not psutil.pid_exists(process_id)
    assert "Destroyed" not in capfd.readouterr().err


@pytest.mark.parametrize("stderr", [None, io.StringIO()])  # of a program of windows, and of a menu
def test_why_no_window_opens_is_said_where_no_terminal_is(
    tmp_path: Path, qapp: QApplication, monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO | None
) -> None:
    said = list[str]()
    monkeypatch.setattr(QMessageBox, "critical", lambda _parent, _title, sentence: said.append(sentence))
    monkeypatch.setattr(sys, "stderr", stderr)
    (tmp_path / "file").write_text("")
    assert main(["--workspace", str(tmp_path / "file")]) == 2
    monkeypatch.setenv("TFM_CACHE", str(tmp_path / "file"))
    assert main(["--workspace", str(tmp_path)]) == 2
    assert [re.search("TFM_[A-Z]+", sentence)[0] for sentence in said] == ["TFM_WORKSPACE", "TFM_CACHE"]


@pytest.mark.fault(25)
def test_a_second_window_on_the_workspace_raises_the_first(tmp_path: Path, qtbot: QtBot) -> None:
    workspace = tmp_path / "été 训练 🙂"
    command = [sys.executable, "-m", "app", "--workspace", str(workspace)]
    first = subprocess.Popen(command)
    try:
        qtbot.waitUntil(lambda: raise_other(server_name(workspace)))
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert "already open" in second.stdout
        assert second.returncode == 0
        assert first.poll() is None
        first.kill()
        first.wait()
        first = subprocess.Popen(command)  # what the killed one has left is in nobody's way
        qtbot.waitUntil(lambda: raise_other(server_name(workspace)))
        first.terminate()
        assert first.wait(timeout=30) == 0
    finally:
        first.kill()
        first.wait()


REOPENED = """
import sys
import app.main as program
from PySide6.QtCore import QTimer

class Window(program.MainWindow):
    def show(self):
        super().show()
        print(self.devicePixelRatio(), self.width() <= self.screen().availableSize().width(), flush=True)
        if self.devicePixelRatio() == 1:
            self.change_zoom(1)
            self.change_zoom(1)
            QTimer.singleShot(0, self.reopen)
        else:
            QTimer.singleShot(0, self.close)

program.MainWindow = Window
sys.exit(program.main(["--workspace", sys.argv[1]]))
"""


def test_a_window_with_larger_text_takes_the_place_of_the_first(tmp_path: Path) -> None:
    command = [sys.executable, "-c", REOPENED, str(tmp_path / "été 训练 🙂")]
    windows = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert windows.stdout.splitlines() == ["1.0 True", "1.25 True"]


@pytest.mark.parametrize(("given", "factor"), [("1.5", "1.875"), ("1,5", "1.25"), ("", "1.25")])
def test_the_desktop_s_factor_is_part_of_the_zoom(monkeypatch: pytest.MonkeyPatch, given: str, factor: str) -> None:
    monkeypatch.setenv(FACTOR, given)
    apply_zoom(125)
    assert os.environ[FACTOR] == factor


def test_the_zoom_is_offered_once_and_taken_back(window: MainWindow, session: Session) -> None:
    offer = window.findChild(ErrorBar, "offer")
    for name, said in (("larger", "110 %"), ("larger", "125 %"), ("smaller", "110 %")):
        window.findChild(QAction, f"action_{name}").trigger()
        assert said in offer.sentence.text()
    window.findChild(QAction, "action_first_zoom").trigger()
    assert not offer.isVisible(), "it is as large as that already"
    assert session.settings.get("window.zoom", 0) == 100
