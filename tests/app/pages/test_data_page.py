"""The Data page: a choice asks the engine, its answers stand where they belong, old answers nowhere."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QScrollArea, QTableView, QToolButton, QWidget

from app.pages.data import DataPage
from app.pages.model import ModelPage
from app.panels.data_form import FILES
from app.theme import apply_theme
from app.widgets.token_strip import TokenStrip
from tfmcore.config import SOURCES, TASKS
from tfmcore.data.sources.file import TABLES
from tfmcore.messages import DataPrepared, DataPreviewed, PrepareData, PreviewData, Progress, Refused, ShownSequence

SST = {"columns": ["sentence", "label"], "roles": {"text": "sentence", "label": "label"}, "examples": 6920}
ROWS = [["a charming\njourney", "1"], ["dull " * 1000, "0"], ["ragged"]]


@pytest.fixture
def page(qtbot, session, told) -> DataPage:
    page = DataPage(session)
    qtbot.addWidget(page)
    page.resize(1196, 736)
    with qtbot.waitExposed(page):
        page.show()
    return page


def words(page: QWidget, name: str) -> str:
    return page.findChild(QLabel, name).text()


def choose(page: QWidget, name: str, value: object) -> None:
    box = page.findChild(QComboBox, name)
    index = box.findData(value) if box.itemData(0) is not None else box._values.index(value)
    box.setCurrentIndex(index)
    box.activated.emit(index)


def asked(qtbot, told, count: int) -> PreviewData:
    qtbot.waitUntil(lambda: len(told.requests(PreviewData)) == count)
    return told.requests(PreviewData)[-1]


def prepared(**fields: object) -> dict[str, object]:
    batch = [
        ShownSequence(name="1", tokens=["[CLS]", "a", "[MASK]"], ids=[4, 9, 6], targets=["", "", " b"], masked=[2]),
        ShownSequence(name="2", tokens=["x"], ids=[11], label="positive"),
    ]
    facts = {"num_train": 90, "num_validation": 10, "train_tokens": 12345, "vocab_size": 321, "labels": []}
    shown = {"sample_tokens": ["a", " b", "\n"], "sample_ids": [9, 10, 11], "batch": batch, "lengths": [3, 70, 200]}
    return facts | shown | {"warnings": ["2 examples are cut."], "seconds": 0.5} | fields


def test_the_first_look_asks_once_and_shows_the_rows(qtbot, page, session, told):
    request = asked(qtbot, told, 1)
    assert request.panel == "data"
    told.answer(request, DataPreviewed, rows=ROWS, notices=["1 row is ragged."], **SST)
    model = page.findChild(QTableView, "preview_table").model()
    assert (model.rowCount(), model.columnCount()) == (3, 2)
    assert model.headerData(0, Qt.Orientation.Horizontal) == "sentence  (text)"
    assert model.index(0, 0).data() == "a charming ↵ journey"
    assert len(model.index(1, 0).data()) == 300
    assert model.index(2, 1).data() == ""
    assert words(page, "preview_count") == "6,920 examples"
    assert words(page, "preview_notices") == "1 row is ragged."
    session.draft.set("model.d_model", 64)
    qtbot.wait(400)
    assert len(told.requests(PreviewData)) == 1
    session.draft.set("data.validation_fraction", 0.2)
    asked(qtbot, told, 2)
    assert model.rowCount() == 3, "they are those of the same source"
    session.draft.set_many({"data.source": "reverse", "data.task": "translation"})
    asked(qtbot, told, 3)
    assert (words(page, "preview_count"), model.rowCount()) == ("reading …", 0)
    assert not page.findChild(QLabel, "preview_notices").isVisible()


def test_an_old_answer_is_ignored_even_while_the_new_question_waits(qtbot, page, session, told):
    old = asked(qtbot, told, 1)
    choose(page, "field_data_source", "copy")
    told.answer(old, DataPreviewed, rows=ROWS, **SST)
    assert page.findChild(QTableView, "preview_table").model().rowCount() == 0
    new = asked(qtbot, told, 2)
    told.answer(new, DataPreviewed, columns=["source", "target"], roles={}, rows=[["abc", "abc"]], examples=None)
    told.answer(old, DataPreviewed, rows=ROWS, **SST)
    assert page.findChild(QTableView, "preview_table").model().rowCount() == 1
    assert words(page, "preview_count") == "the first 1 rows"


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_shows_its_own_options_and_tasks_only(page, session, source):
    choose(page, "field_data_source", source)
    facts = SOURCES[source]
    assert words(page, "source_help") == facts.help
    task = page.findChild(QComboBox, "field_data_task")
    assert task.count() == len(facts.tasks)
    assert task.currentText() == TASKS[session.draft.value("data.task")].title
    page._form._data.more.set_folded(False)
    for name in {name for facts in SOURCES.values() for name in facts.options}:
        mine = name in facts.options and not (
            name == "target_path" and session.draft.value("data.task") != "translation"
        )
        assert page.findChild(QWidget, f"row_data_{name}").isVisibleTo(page) == mine, name
    assert not [problem for problem in session.draft.problems if problem.field != "data.path"]


@pytest.mark.parametrize("task", TASKS)
def test_a_task_brings_an_architecture_and_says_so(page, session, task):
    choose(page, "field_data_source", "file")
    choose(page, "field_data_task", task)
    assert session.draft.value("model.architecture") in TASKS[task].architectures
    assert page.findChild(QLabel, "data_info").isVisible() == (session.draft.value("model.architecture") != "decoder")
    roles = (*TASKS[task].roles, *TASKS[task].optional_roles)
    assert all(page.findChild(QComboBox, f"field_data_columns_{role}") for role in roles)


def drop(page: DataPage, *paths: str) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path) for path in paths])
    action, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    page.dragEnterEvent(QDragEnterEvent(QPoint(5, 5), action, data, Qt.MouseButton.LeftButton, none))
    assert page.findChild(QLabel, "drop_hint").isVisible()
    page.dropEvent(QDropEvent(QPointF(5, 5), action, data, Qt.MouseButton.LeftButton, none))
    assert not page.findChild(QLabel, "drop_hint").isVisible()


def test_a_dropped_table_leads_to_its_task_and_roles(qtbot, page, session, told):
    drop(page, "/data/my reviews.tsv")
    request = asked(qtbot, told, 1)
    assert request.config["data"]["path"] == "/data/my reviews.tsv"
    told.answer(request, DataPreviewed, rows=ROWS, **SST)
    assert session.draft.config is not None
    assert session.draft.config.data.task == "classification"
    assert session.draft.config.model.architecture == "encoder"
    text = page.findChild(QComboBox, "field_data_columns_text")
    assert text.currentText() == "automatic: sentence"
    choose(page, "field_data_columns_text", "label")
    assert session.draft.value("data.columns") == {"text": "label"}
    assert asked(qtbot, told, 2).config["data"]["columns"] == {"text": "label"}
    choose(page, "field_data_columns_text", "")
    assert session.draft.value("data.columns") == {}


def test_a_table_without_labels_is_read_as_text(qtbot, page, session, told):
    drop(page, "/data/poems.csv")
    told.answer(asked(qtbot, told, 1), DataPreviewed, columns=["body"], roles={}, rows=[["a"]], examples=1)
    assert session.draft.value("data.task") == "language_modeling"
    assert session.draft.value("model.architecture") == "decoder"


def test_a_table_of_one_column_that_has_no_labels_is_read_as_text(qtbot, page, session, told):
    drop(page, "/data/poems.csv.gz")
    told.answer(asked(qtbot, told, 1), Refused, sentence="/data/poems.csv.gz has no column left for the role label.")
    assert session.draft.value("data.task") == "language_modeling"
    told.answer(asked(qtbot, told, 2), Refused, sentence="/data/poems.csv.gz does not exist")
    assert words(page, "problem_data_path") == "/data/poems.csv.gz does not exist."


def test_every_kind_of_file_that_can_be_read_is_offered():
    assert all(f"*{ending} " in f"{FILES[6:].split(')')[0]} " for ending in TABLES)


def test_two_dropped_texts_are_parallel_and_three_are_too_many(qtbot, page, session, told):
    drop(page, "/data/en.txt", "/data/hu.txt")
    assert session.draft.value("data.target_path") == "/data/hu.txt"
    assert session.draft.value("model.architecture") == "encoder_decoder"
    said: list[str] = []
    session.notified.connect(lambda level, sentence, details: said.append(sentence))
    drop(page, "/a.txt", "/b.txt", "/c.txt")
    assert "3 files" in said[0]
    assert session.draft.value("data.path") == "/data/en.txt"


def test_a_file_that_cannot_be_read_is_said_beside_its_field(qtbot, page, session, told):
    drop(page, "/data/latin.txt")
    told.answer(asked(qtbot, told, 1), Refused, sentence="/data/latin.txt is not UTF-8 text (byte 17).")
    assert words(page, "problem_data_path") == "/data/latin.txt is not UTF-8 text (byte 17)."
    assert page.findChild(QWidget, "preview_refused").isVisible()
    path = page.findChild(QLineEdit, "field_data_path")
    path.selectAll()
    qtbot.keyClicks(path, "/data/utf8.txt")
    qtbot.waitUntil(lambda: session.draft.value("data.path") == "/data/utf8.txt")
    assert not page.findChild(QLabel, "problem_data_path").isVisible()
    assert asked(qtbot, told, 2).config["data"]["path"] == "/data/utf8.txt"


def test_a_file_is_read_again_by_a_click_and_what_was_wrong_goes(qtbot, page, session, told):
    drop(page, "/data/book.txt")
    told.answer(asked(qtbot, told, 1), Refused, sentence="The engine was killed; the next request starts a new one.")
    qtbot.mouseClick(page.findChild(QPushButton, "action_read_again"), Qt.MouseButton.LeftButton)
    told.answer(asked(qtbot, told, 2), DataPreviewed, columns=["text"], roles={}, rows=[["a line"]], examples=1)
    assert not page.findChild(QLabel, "problem_data_path").isVisible()
    assert page.findChild(QTableView, "preview_table").isVisible()


def test_long_columns_share_the_room_and_tab_leaves_the_table(qtbot, page, session, told):
    drop(page, "/data/en.txt", "/data/hu.txt")
    rows = [["a long sentence " * 9, "egy hosszú mondat " * 9]] * 3
    told.answer(asked(qtbot, told, 1), DataPreviewed, columns=["source", "target"], roles={}, rows=rows, examples=3)
    table = page.findChild(QTableView, "preview_table")
    assert abs(table.columnWidth(0) - table.columnWidth(1)) < 3
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_Tab)
    assert table.currentIndex().column() <= 0


def test_a_refusal_to_prepare_is_scrolled_to(qtbot, page, session, told):
    drop(page, "/data/book.txt")
    page.findChild(QToolButton, "more_data_fold").click()
    page.findChild(QToolButton, "more_tokenizer_fold").click()
    page.resize(1196, 300)
    page.findChild(QPushButton, "action_prepare_data").click()
    told.answer(told.requests(PrepareData)[0], Refused, sentence="There are no examples.")
    outcome = page.findChild(QLabel, "prepare_outcome")
    qtbot.waitUntil(lambda: not outcome.visibleRegion().isEmpty())


def test_the_columns_of_a_role_of_two_words_are_named_in_words(page, session):
    session.draft.set_many({"data.source": "file", "data.path": "/data/s.json", "data.task": "question_answering"})
    assert "Answer start column" in [label.text() for label in page.findChildren(QLabel)]


def test_an_empty_page_prepares_by_a_click(qtbot, page, told):
    qtbot.mouseClick(page.findChild(QPushButton, "action_prepare_here"), Qt.MouseButton.LeftButton)
    assert len(told.requests(PrepareData)) == 1


@pytest.mark.fault(30)
def test_the_encoding_that_mends_a_file_is_a_click_away(qtbot, page, session, told):
    drop(page, "/data/latin.txt")
    sentence = "/data/latin.txt is not UTF-8 text (byte 17): set data.encoding, perhaps to cp1252"
    told.answer(asked(qtbot, told, 1), Refused, sentence=sentence, fix={"data.encoding": "cp1252"})
    assert "(byte 17): set “Encoding”, perhaps to cp1252." in words(page, "problem_data_encoding")
    mend = page.findChild(QPushButton, "mend_data_encoding")
    assert mend.isVisible()
    qtbot.mouseClick(mend, Qt.MouseButton.LeftButton)
    assert asked(qtbot, told, 2).config["data"]["encoding"] == "cp1252"
    assert not page.findChild(QLabel, "problem_data_encoding").isVisible()


def test_a_bad_byte_far_in_is_said_when_the_data_are_prepared(qtbot, page, session, told):
    drop(page, "/data/latin.txt")
    qtbot.mouseClick(page.findChild(QPushButton, "action_prepare_data"), Qt.MouseButton.LeftButton)
    (request,) = told.requests(PrepareData)
    told.answer(request, Refused, sentence="Byte 17: set “Encoding”.", fix={"data.encoding": "cp1252"})
    assert words(page, "prepare_outcome") == "Byte 17: set “Encoding”."
    mend = page.findChild(QPushButton, "mend_data_encoding")
    qtbot.waitUntil(lambda: mend.isVisible() and mend.height() > 10)
    prepare, said = page.findChild(QPushButton, "action_prepare_data"), page.findChild(QLabel, "prepare_outcome")
    for widget in (prepare, said):
        assert widget.visibleRegion().boundingRect() == widget.rect(), "it is seen though the options are unfolded"
    qtbot.mouseClick(mend, Qt.MouseButton.LeftButton)
    assert session.draft.value("data.encoding") == "cp1252"


def test_without_a_file_the_page_says_what_to_do(qtbot, page, session, told):
    asked(qtbot, told, 1)
    choose(page, "field_data_source", "file")
    assert page.findChild(QWidget, "preview_empty").isVisible()
    assert "path of a file" in words(page, "problem_data_path")
    qtbot.mouseClick(page.findChild(QPushButton, "action_prepare_data"), Qt.MouseButton.LeftButton)
    assert words(page, "prepare_outcome").startswith("First fix this: “File”")
    assert not told.requests(PrepareData)


def test_preparing_shows_progress_and_everything_that_came_of_it(qtbot, page, session, told):
    qtbot.mouseClick(page.findChild(QPushButton, "action_prepare_data"), Qt.MouseButton.LeftButton)
    (request,) = told.requests(PrepareData)
    told.answer(request, Progress, phase="training the tokenizer", done=3, total=10)
    assert words(page, "prepare_outcome") == "training the tokenizer"
    told.answer(request, DataPrepared, **prepared(labels=["no", "yes"]))
    counts = words(page, "prepared_counts")
    assert all(
        part in counts for part in ("90 examples, 10 held out", "12.3 k tokens", "vocabulary 321", "2 labels: no, yes")
    )
    assert words(page, "prepared_warnings") == "2 examples are cut."
    assert page._prepared._lengths.limit == 64
    assert [piece.id for piece in page.findChild(TokenStrip, "sample_tokens").pieces] == [9, 10, 11]
    table = page.findChild(QTableView, "first_batch")
    batch = table.model()
    assert all(table.columnWidth(column) >= table.sizeHintForColumn(column) for column in range(batch.columnCount()))
    titles = [batch.headerData(row, Qt.Orientation.Vertical) for row in range(batch.rowCount())]
    assert titles == ["1", "to predict", "2 · label positive"]
    assert [batch.index(1, column).data() for column in range(3)] == ["", "", "␣b"]
    assert "hidden from the model" in batch.index(0, 2).data(Qt.ItemDataRole.ToolTipRole)
    session.draft.set("model.context_length", 128)
    assert page._prepared._lengths.limit == 128
    assert "prepare again" in words(page, "batch_note")
    session.draft.set("tokenizer.kind", "bpe")
    assert page.findChild(QWidget, "prepared_empty").isVisible()
    session.draft.undo()
    assert not page.findChild(QWidget, "prepared_empty").isVisible()


def test_a_sample_of_ones_own_is_asked_about_when_typing_pauses(qtbot, page, told):
    told.answer(asked(qtbot, told, 1), DataPreviewed, rows=ROWS, **SST)
    page._form.prepare()
    assert told.requests(PrepareData)[0].sample == "a charming\njourney"
    told.answer(told.requests(PrepareData)[0], DataPrepared, **prepared())
    qtbot.keyClicks(page.findChild(QLineEdit, "field_sample"), "hello")
    qtbot.waitUntil(lambda: len(told.requests(PrepareData)) == 2)
    request = told.requests(PrepareData)[1]
    assert request.sample == "hello"
    told.answer(request, DataPrepared, **prepared(sample_tokens=["hello"], sample_ids=[7]))
    assert [piece.token for piece in page.findChild(TokenStrip, "sample_tokens").pieces] == ["hello"]


def test_preparing_can_be_cancelled_and_can_fail(qtbot, page, told):
    prepare, cancel = (page.findChild(QPushButton, f"action_{name}") for name in ("prepare_data", "cancel_prepare"))
    qtbot.mouseClick(prepare, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(cancel, Qt.MouseButton.LeftButton)
    assert prepare.isVisible()
    assert not cancel.isVisible()
    qtbot.mouseClick(prepare, Qt.MouseButton.LeftButton)
    told.answer(told.requests(PrepareData)[-1], Refused, sentence="The file holds no text.")
    assert words(page, "prepare_outcome") == "The file holds no text."
    assert page.findChild(QWidget, "prepared_empty").isVisible()


def test_nothing_is_cut_off_at_the_smallest_size(qapp, qtbot, page, session, told):
    apply_theme(qapp, "dark")
    page._form.prepare()
    told.answer(told.requests(PrepareData)[0], DataPrepared, **prepared())
    form = page.findChild(QScrollArea, "scroll_data")
    for source in SOURCES:
        choose(page, "field_data_source", source)
        qtbot.waitUntil(lambda: form.widget().minimumSizeHint().width() <= form.viewport().width())
    assert page.minimumSizeHint().width() <= 1196
    assert page.minimumSizeHint().height() <= 716


@pytest.fixture
def reviews(own_folders: Path) -> Path:
    """A table without a header, as SST-2 is published."""
    path = own_folders / "critiques é.tsv"
    lines = [f"the film number {n} is {'lovely' if n % 2 else 'dull'} and long\t{n % 2}" for n in range(60)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_with_the_real_engine_a_table_is_read_prepared_and_measured(qtbot, session, reviews):
    data, model = DataPage(session), ModelPage(session)
    for page in (data, model):
        qtbot.addWidget(page)
        page.resize(1196, 736)
        page.show()
    session.draft.set_many({"model.d_model": 16, "training.batch_size": 4, "tokenizer.vocab_size": 200})
    drop(data, str(reviews))
    roles = [data.findChild(QComboBox, f"field_data_columns_{role}") for role in ("text", "label")]
    qtbot.waitUntil(lambda: roles[1].currentText() == "automatic: 2")
    assert roles[0].currentText() == "automatic: 1"
    assert session.draft.config is not None
    assert session.draft.config.data.task == "classification"
    assert "60" in words(data, "preview_count")
    qtbot.mouseClick(data.findChild(QPushButton, "action_prepare_data"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: data.findChild(QLabel, "prepared_counts").isVisible())
    assert "54 examples, 6 held out" in words(data, "prepared_counts")
    assert "2 labels: 0, 1" in words(data, "prepared_counts")
    assert data.findChild(TokenStrip, "sample_tokens").pieces
    batch = data.findChild(QTableView, "first_batch").model()
    assert batch.rowCount() == 4
    assert "label" in batch.headerData(0, Qt.Orientation.Vertical)
    vocabulary = words(data, "prepared_counts").split("vocabulary ")[1].split(" ")[0]
    assert vocabulary in [label.text() for label in model.findChildren(QLabel)]
    qtbot.mouseClick(model.findChild(QPushButton, "action_try_batch"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "per step" in words(model, "try_outcome"), timeout=60_000)


def test_with_the_real_engine_a_wrong_file_is_said_with_its_row(qtbot, session, own_folders):
    page = DataPage(session)
    qtbot.addWidget(page)
    page.show()
    latin = own_folders / "latin.txt"
    latin.write_bytes("abc déf".encode("latin-1"))
    drop(page, str(latin))
    qtbot.waitUntil(lambda: page._form._data.fields["data.encoding"].has_problem)
    assert "latin.txt" in words(page, "problem_data_encoding")
    assert "byte 5" in words(page, "problem_data_encoding")
    mend = page.findChild(QPushButton, "mend_data_encoding")
    qtbot.waitUntil(lambda: mend.isVisible() and mend.height() > 10)
    qtbot.mouseClick(mend, Qt.MouseButton.LeftButton)
    table = page.findChild(QTableView, "preview_table")
    qtbot.waitUntil(lambda: table.isVisible() and table.model().rowCount() == 1)
    assert table.model().index(0, 0).data() == "abc déf"
