"""Import and export: a folder becomes the open model, everything is named, progress and cancel, one at a time."""

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QPlainTextEdit, QProgressBar, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.exchange import is_foreign
from app.session import Session
from app.window import MainWindow
from tests.app.fake_engine import FakeEngine, connect, open_preset
from tfmcore.messages import ExportModel, ImportModel


@pytest.fixture
def engine(session: Session) -> FakeEngine:
    """Both engines in one."""
    engine = connect(session, FakeEngine())
    session.data_engine.close()
    session.data_engine = engine  # type: ignore[assignment]
    return engine


@pytest.fixture
def window(session: Session, engine: FakeEngine, qtbot: QtBot) -> MainWindow:
    window = MainWindow(session)
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """What looks like a Hugging Face folder."""
    folder = tmp_path / "bert <b>& été"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    return folder


def said(window: MainWindow) -> str:
    label = window.findChild(QLabel, "notice_sentence")
    return label.text() if label.isVisible() else ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"model_type": "gpt2"}', True),
        ('{"format": "transformer-playground/1", "model_type": "x"}', False),
        ("{}", False),
        ("[1]", False),
        ("{", False),
        (None, False),
    ],
)
def test_a_foreign_folder_is_known_by_its_config(tmp_path: Path, text: str | None, expected: bool) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text, encoding="utf-8")
    assert is_foreign(str(tmp_path)) == expected


def test_a_foreign_folder_is_imported_opened_and_accounted_for(
    window: MainWindow, session: Session, engine: FakeEngine, foreign: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(session.model_changed):
        session.open_folder(str(foreign))
    assert engine.last(ImportModel).path == str(foreign)
    assert session.model_path == f"{foreign} imported"
    assert window.findChild(QWidget, "page_use").isVisible()
    assert said(window).startswith("Imported BERT with 109 M parameters as bert <b>& été imported.")
    assert "1 tensor was newly initialised and 12 tensors were ignored" in said(window)
    assert "begins with random weights" in said(window)
    details = window.findChild(QPlainTextEdit, "notice_text").toPlainText()
    assert "head.classifier.weight" in details
    assert "cls.predictions.tensor_11" in details
    assert "Read: 197" in details
    assert "bert.encoder.tensor_196" in details
    assert not window.findChild(QWidget, "exchange_bar").isVisible()


def test_progress_shows_and_cancel_ends_it(
    window: MainWindow, session: Session, engine: FakeEngine, foreign: Path, qtbot: QtBot
) -> None:
    engine.tensors = 1_000_000
    session.open_folder(str(foreign))
    bar = window.findChild(QWidget, "exchange_bar")
    qtbot.waitUntil(lambda: bar.findChild(QProgressBar, "exchange_progress").value() > 5)
    words = bar.findChild(QLabel, "exchange_words").text()
    assert words.startswith(f"Importing {foreign.name}: reading tensors, ")
    assert words.endswith(" of 1,000,000")
    session.exchange.import_folder(str(foreign))
    assert "is in progress" in said(window), "one at a time"
    qtbot.mouseClick(bar.findChild(QPushButton, "action_cancel_exchange"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not session.exchange.running)
    assert "was cancelled" in said(window)
    assert not bar.isVisible()
    assert session.model is None


def test_a_refusal_is_said_with_its_folder(
    window: MainWindow, session: Session, engine: FakeEngine, foreign: Path, qtbot: QtBot
) -> None:
    engine.faults["import_model"] = "encoder.layer.3.output.dense.weight is (768, 3072), not (768, 3071)"
    session.open_folder(str(foreign))
    qtbot.waitUntil(lambda: "3071" in said(window))
    assert foreign.name in said(window)
    assert not session.exchange.running


def test_a_folder_without_a_model_is_said(window: MainWindow, session: Session, tmp_path: Path, qtbot: QtBot) -> None:
    session.open_folder(str(tmp_path))
    qtbot.waitUntil(lambda: "config.json is missing" in said(window))


@pytest.mark.parametrize("form", ["huggingface", "onnx"])
def test_the_open_model_is_exported(
    window: MainWindow, session: Session, engine: FakeEngine, tmp_path: Path, qtbot: QtBot, form: str
) -> None:
    act = window.findChild(QAction, f"action_export_{form}")
    assert not act.isEnabled()
    open_preset(session, "reverse")
    assert act.isEnabled()
    act.trigger()
    dialog = window.findChild(QFileDialog)
    assert dialog.isVisible()
    dialog.fileSelected.emit(str(tmp_path / "out"))
    dialog.close()
    asked = engine.last(ExportModel)
    assert (asked.model, asked.path, asked.format) == (session.model_path, str(tmp_path / "out"), form)
    qtbot.waitUntil(lambda: "Exported" in said(window))
    assert "model.safetensors" in window.findChild(QPlainTextEdit, "notice_text").toPlainText()


def drop(widget: QWidget, paths: list[Path]) -> bool:
    """Drag the paths over a widget and let go; whether it takes them."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    entering = QDragEnterEvent(QPoint(9, 9), *where)
    entering.ignore()
    QApplication.sendEvent(widget, entering)
    if entering.isAccepted():
        QApplication.sendEvent(widget, QDropEvent(QPointF(9, 9), *where))
    return entering.isAccepted()


def test_a_dropped_folder_is_opened_and_other_things_are_not(
    window: MainWindow, session: Session, foreign: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    text = tmp_path / "a.txt"
    text.write_text("a")
    assert not drop(window, [text])
    assert not drop(window, [foreign, tmp_path])
    window.show_page("data")
    page = window.findChild(QWidget, "page_data")
    assert drop(page, [text])
    assert session.draft.value("data.path") == str(text)
    with qtbot.waitSignal(session.model_changed):
        assert drop(page, [foreign]), "the page leaves a folder to the window"
    assert session.draft.value("data.path") == str(text)


def test_every_way_to_a_folder_asks_for_one(window: MainWindow, qtbot: QtBot) -> None:
    for page, name in (
        ("home", "action_open_hugging_face_folder"),
        ("home", "action_open_model_folder"),
        ("use", "action_import_use"),
        ("inspect", "action_import_inspect"),
    ):
        window.show_page(page)
        qtbot.mouseClick(
            window.findChild(QWidget, f"page_{page}").findChild(QPushButton, name), Qt.MouseButton.LeftButton
        )
        dialog = next(dialog for dialog in window.findChildren(QFileDialog) if dialog.isVisible())
        assert dialog.fileMode() == QFileDialog.FileMode.Directory
        dialog.close()
