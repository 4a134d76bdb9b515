"""A table of prompts on the Data page, read by a real engine: what it is taken for, its columns, its first batch."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QTableView

from app.pages.data import DataPage
from app.preparation import Preparation
from app.theme import theme

LONGEST_MS = 60_000
WORDS = ["apple", "bread", "cloud", "dream", "eagle", "flame", "grape", "house", "igloo", "joker", "knife", "lemon"]


@pytest.fixture
def page(qtbot, session, tmp_path) -> DataPage:
    """The page with such a table opened."""
    table = tmp_path / "pairs.csv"
    table.write_text("instruction,response,more\n" + "".join(f"{word.upper()},{word},{word[0]}\n" for word in WORDS))
    page = DataPage(session)
    qtbot.addWidget(page)
    page.resize(1196, 736)
    with qtbot.waitExposed(page):
        page.show()
    page._form.open_files([str(table)])
    qtbot.waitUntil(lambda: session.draft.value("data.task") == "language_modeling", timeout=LONGEST_MS)
    qtbot.waitUntil(lambda: prompts(page).currentText() == "automatic: instruction", timeout=LONGEST_MS)
    return page


def prompts(page: DataPage) -> QComboBox | None:
    return page.findChild(QComboBox, "field_data_columns_prompt")


def choose(box: QComboBox, text: str) -> None:
    box.setCurrentIndex(box.findText(text))
    box.activated.emit(box.currentIndex())


def test_it_is_taken_for_prompts_and_what_a_decoder_writes_after_them(page, session):
    assert session.draft.value("model.architecture") == "decoder"
    assert (session.draft.value("tokenizer.kind"), session.draft.value("tokenizer.lowercase")) == ("byte_bpe", False)
    assert "which keep capitals and spaces" in page.findChild(QLabel, "data_info").text()
    assert page.findChild(QComboBox, "field_data_columns_text").currentText() == "automatic: response"
    rows = page.findChild(QTableView, "preview_table").model()
    horizontal, colour = Qt.Orientation.Horizontal, Qt.ItemDataRole.ForegroundRole
    assert [rows.headerData(n, horizontal) for n in range(2)] == ["instruction  (prompt)", "response  (text)"]
    assert [rows.index(0, n).data() for n in range(2)] == ["APPLE", "apple"]
    assert [rows.index(0, n).data(colour) for n in range(2)] == [QColor(theme().muted), None]


def test_no_column_has_to_be_one_of_prompts(qtbot, page, session):
    box = prompts(page)
    assert [box.itemText(n) for n in range(box.count())] == [
        "automatic: instruction",
        "none",
        "instruction",
        "response",
        "more",
        "instruction + more",
    ]
    choose(box, "none")
    assert session.draft.value("data.columns") == {"prompt": ""}
    assert [box.itemText(n) for n in range(3)] == ["automatic", "none", "instruction"]
    assert box.currentText() == "none"
    rows = page.findChild(QTableView, "preview_table").model()
    qtbot.waitUntil(lambda: "prompt" not in rows.preview.roles, timeout=LONGEST_MS)
    assert box.currentText() == "none"
    session.draft.undo()
    assert session.draft.value("data.columns") == {}
    choose(box, "response")
    assert session.draft.value("data.columns") == {"prompt": "response"}
    qtbot.waitUntil(lambda: rows.preview.roles == {"text": "instruction", "prompt": "response"}, timeout=LONGEST_MS)
    assert box.currentText() == "response"
    choose(box, "automatic")
    assert session.draft.value("data.columns") == {}
    qtbot.waitUntil(lambda: box.currentText() == "automatic: instruction", timeout=LONGEST_MS)


def test_the_first_batch_predicts_what_follows_the_prompt(qtbot, page, session):
    """Of two columns, with a separator, and of one."""
    choose(prompts(page), "instruction + more")
    assert session.draft.value("data.columns") == {"prompt": "instruction + more"}
    rows = page.findChild(QTableView, "preview_table").model()
    qtbot.waitUntil(lambda: rows.preview.roles["prompt"] == "instruction + more", timeout=LONGEST_MS)
    horizontal = Qt.Orientation.Horizontal
    headings = ["instruction  (prompt)", "response  (text)", "more  (prompt)"]
    assert [rows.headerData(n, horizontal) for n in range(3)] == headings
    separator = page.findChild(QLineEdit, "field_data_separator")
    separator.setText(r"\n=\\")
    separator.textEdited.emit(separator.text())
    qtbot.waitUntil(lambda: session.draft.value("data.separator") == "\n=\\")
    session.draft.set_many({"tokenizer.kind": "byte", "tokenizer.lowercase": False})
    preparation = Preparation.of(session)
    page._form.prepare()
    qtbot.waitUntil(lambda: preparation.result is not None, timeout=LONGEST_MS)
    for shown in preparation.result.batch:
        assert shown.targets[:9] == [""] * 9
        assert "".join(shown.tokens[5:10]) == f"\n{shown.tokens[0].lower()}\n=\\"
        assert "".join(shown.targets[9:14]) == "".join(shown.tokens[:5]).lower()
    session.draft.set_many({"data.columns": {}, "data.separator": ""})
    assert separator.text() == ""
    preparation = Preparation.of(session)
    page._form.prepare()
    qtbot.waitUntil(lambda: preparation.result is not None, timeout=LONGEST_MS)
    for shown in preparation.result.batch:
        assert shown.targets[:4] == [""] * 4
        assert "".join(shown.targets[4:9]) == "".join(shown.tokens[:5]).lower()
