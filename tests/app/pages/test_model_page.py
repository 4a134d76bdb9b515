"""The Model page: everything is redrawn from the draft at once, and a batch is really measured."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QWidget

from app.pages.model import ModelPage
from app.theme import DARK, apply_theme
from app.widgets.diagram import LEAST_SCALE
from tests.app.fake_engine import open_preset
from tfmcore.config import Config, presets, to_toml
from tfmcore.config.estimate import likely_cost
from tfmcore.messages import BatchFound, BatchTried, FindBatch, Progress, Refused, TryBatch


@pytest.fixture
def page(qtbot, session, told) -> ModelPage:
    page = ModelPage(session)
    qtbot.addWidget(page)
    page.resize(1196, 736)
    with qtbot.waitExposed(page):
        page.show()
    return page


def words(page: QWidget, name: str) -> str:
    return page.findChild(QLabel, name).text()


def click(qtbot, page: QWidget, name: str) -> None:
    qtbot.mouseClick(page.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("name", presets())
def test_a_preset_fills_everything(qtbot, page, session, name):
    page._bar._preset.list.chosen.emit(name)
    config = presets()[name].config()
    assert session.draft.config == config
    assert words(page, "preset_why") == presets()[name].why
    assert page._diagram.drawing.boxes
    assert not page._diagram.horizontalScrollBar().maximum(), "it fits between form and costs"
    room = page._diagram.width() - page._diagram.verticalScrollBar().sizeHint().width()
    assert page._diagram.drawing.size[0] * LEAST_SCALE <= room, "beside the bar of one that is too high, too"
    assert sum(amount for _, amount in page._costs._parameters.rows) == likely_cost(config).total
    session.draft.undo()
    assert session.draft.config == Config()


def test_figures_follow_each_change_and_stay_through_a_wrong_one(page, session):
    before = words(page, "parameters_total")
    session.draft.set("model.d_model", 256)
    after = words(page, "parameters_total")
    assert before != after
    session.draft.set("model.num_heads", 3)
    assert words(page, "parameters_total") == after
    assert "num_heads" in words(page, "preset_why")
    assert page.findChild(QPushButton, "tab_model").text() == "Model (1 to fix)"
    session.draft.undo()
    assert page.findChild(QPushButton, "tab_model").text() == "Model"


def test_in_a_small_window_what_is_said_of_the_preset_takes_few_lines(page):
    page.resize(880, 576)
    words = page.findChild(QLabel, "preset_why")
    assert words.height() <= 2 * words.fontMetrics().lineSpacing()


def test_a_link_is_read_after_a_change_of_the_theme(page, session, qapp):
    apply_theme(qapp, "light")
    session.draft.set("model.num_heads", 5)
    words = page.findChild(QLabel, "preset_why")
    words.grab()
    apply_theme(qapp, "dark")
    picture = words.grab().toImage()
    colours = {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}
    assert DARK.accent in colours


def test_data_of_ones_own_are_called_as_their_file(page, session):
    session.draft.set("data.source", "file")
    session.draft.set("data.path", "/data/<b>tales.txt")
    assert "from “<b>tales.txt”;" in words(page, "data_summary")
    assert page.findChild(QLabel, "data_summary").textFormat() == Qt.TextFormat.PlainText


def test_every_block_leads_to_fields_that_are_in_sight(qtbot, page, session):
    for preset in ("nano-decoder", "t5-mini", "tell-languages", "bert-mini"):
        session.draft.load_preset(preset)
        for key in dict.fromkeys(block.key for _, block in page._diagram.drawing.boxes):
            page._diagram.block_clicked.emit(key)
            qtbot.waitUntil(lambda: isinstance(page.focusWidget(), QWidget))
            assert page.focusWidget().objectName().startswith("field_model_")


def test_training_has_its_own_side_of_the_switch(qtbot, page, session):
    click(qtbot, page, "tab_training")
    assert page.findChild(QLineEdit, "field_training_steps").isVisible()
    assert not page.findChild(QLineEdit, "field_model_d_model").isVisible()
    session.show_field("model.d_model")
    assert page.findChild(QLineEdit, "field_model_d_model").isVisible()


def test_a_batch_is_measured_and_kept_beside_the_config_it_was_of(qtbot, page, session, told):
    click(qtbot, page, "action_try_batch")
    (request,) = told.requests(TryBatch)
    assert (request.panel, request.vocab_size) == ("model", 100)
    told.answer(request, Progress, phase="building the model", done=1, total=4)
    assert words(page, "try_outcome") == "building the model"
    assert page.findChild(QPushButton, "action_cancel_try").isVisible()
    told.answer(request, BatchTried, seconds=0.1, tokens=2048, bytes=2**20, parameters=1)
    assert "100 ms per step" in words(page, "try_outcome")
    assert "1 min 40 s for 1,000 steps" in words(page, "try_outcome")
    session.draft.set("training.batch_size", 16)
    assert words(page, "try_outcome").startswith("Before the last change")


def test_what_is_measured_of_a_shared_design_is_one_process(qtbot, page, session, told):
    session.draft.set("training.parallel", ["data"])
    click(qtbot, page, "action_try_batch")
    told.answer(told.requests(TryBatch)[-1], BatchTried, seconds=0.1, tokens=2048, bytes=2**20, parameters=1)
    assert words(page, "try_outcome").endswith("1 MiB of memory, on one process")
    click(qtbot, page, "action_largest_batch")
    told.answer(told.requests(FindBatch)[-1], BatchFound, batch_size=96, seconds=1.5, bytes=2**30, limit=2**31)
    assert words(page, "try_outcome") == "A batch of 96 fits: 1 GiB, 1.5 s per step, on one process."


def test_a_measurement_can_be_cancelled_and_can_fail(qtbot, page, told):
    click(qtbot, page, "action_try_batch")
    click(qtbot, page, "action_cancel_try")
    assert words(page, "try_outcome") == "Cancelled."
    click(qtbot, page, "action_try_batch")
    told.answer(told.requests(TryBatch)[-1], Refused, sentence="Not enough memory for 12 GB.", details="trace")
    assert words(page, "try_outcome") == "Not enough memory for 12 GB."
    assert page.findChild(QPushButton, "action_try_batch").isVisible()


def test_the_largest_batch_is_found_and_taken_over(qtbot, page, session, told):
    click(qtbot, page, "action_largest_batch")
    (request,) = told.requests(FindBatch)
    assert request.vocab_size == 100
    told.answer(request, Progress, phase="trying a batch of 96", done=0, total=0)
    assert words(page, "try_outcome") == "trying a batch of 96"
    told.answer(request, BatchFound, batch_size=96, seconds=1.5, bytes=2**30, limit=2**31)
    assert words(page, "try_outcome") == "A batch of 96 fits: 1 GiB, 1.5 s per step."
    click(qtbot, page, "action_take_batch")
    assert session.draft.value("training.batch_size") == 96
    assert not page.findChild(QPushButton, "action_take_batch").isVisible()
    session.draft.set("model.num_layers", 2)
    assert words(page, "try_outcome").startswith("Before the last change")
    click(qtbot, page, "action_largest_batch")
    click(qtbot, page, "action_cancel_try")
    assert words(page, "try_outcome") == "Cancelled."


def test_a_draft_with_problems_starts_nothing_and_says_why(qtbot, page, session, told):
    said: list[str] = []
    session.notified.connect(lambda level, sentence, details: said.append(sentence))
    session.draft.set("training.learning_rate", -1.0)
    click(qtbot, page, "action_try_batch")
    assert not told.requests(TryBatch)
    assert words(page, "try_outcome").startswith("First fix this: “Learning rate”: ")
    assert page.findChild(QLineEdit, "field_training_learning_rate").isVisible()
    click(qtbot, page, "tab_model")
    page.findChild(QLabel, "preset_why").linkActivated.emit("training.learning_rate")
    assert page.findChild(QLineEdit, "field_training_learning_rate").isVisible()
    click(qtbot, page, "action_start_run")
    assert "“Learning rate”" in said[0]
    assert not session.runs.facts


def test_a_design_that_does_not_fit_the_machine_is_said_and_starts_only_when_insisted_on(
    qtbot, page, session, monkeypatch
):
    started: list[str] = []
    monkeypatch.setattr("app.session._create_and_start", lambda runs, config, label: started.append(label))
    monkeypatch.setattr(session, "_on_run_started", lambda run: None)
    session.draft.set_many({"model.d_model": 16_384, "model.num_layers": 96, "model.num_heads": 128})
    assert "for reading" in words(page, "memory_shortage")
    with qtbot.waitSignal(session.offered) as offered:
        click(qtbot, page, "action_start_run")
    sentence, word, insist, holds = offered.args
    assert "this machine has" in sentence
    assert word == "Train anyway"
    assert not started
    session.draft.set("model.num_layers", 2)
    assert not holds(), "it was said of another design"
    session.draft.undo()
    assert holds()
    insist()
    qtbot.waitUntil(lambda: not holds())
    assert len(started) == 1
    session.draft.load_preset("nano-decoder")
    assert page.findChild(QLabel, "memory_shortage").isHidden()


def test_the_key_that_trains_takes_the_name_that_was_typed(qtbot, page, session, monkeypatch):
    started = []
    monkeypatch.setattr(session, "start_run", started.append)
    qtbot.keyClicks(page.findChild(QLineEdit, "field_run_label"), "my experiment")
    field = page.findChild(QLineEdit, "field_model_num_layers")
    qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert started == ["my experiment"]


def test_a_model_to_begin_from_that_is_typed_brings_its_shape(qtbot, page, session):
    open_preset(session, "gpt2-mini")
    session.draft.load_preset("nano-decoder")
    with qtbot.waitSignal(session.draft.changed):
        page._forms["training"].fields["training.finetune_from"].edited.emit(session.model_path)
    assert session.draft.value("model.position") == "learned"
    assert "Fine-tunes gpt2-mini" in words(page, "preset_why")
    assert page._forms["training"].fields["training.freeze"].isVisibleTo(page._forms["training"].more.body)
    session.draft.set("model.position", "rotary")
    assert "model.position" in words(page, "preset_why")
    session.draft.undo()
    page._forms["training"].fields["training.finetune_from"].edited.emit("")
    assert not session.draft.base


def test_a_config_is_saved_and_opened_again(qtbot, page, session, own_folders):
    path = own_folders / "my run.toml"
    session.draft.set("model.d_model", 64)
    with qtbot.waitSignal(session.notified) as notice:
        page._bar._files.save(str(path))
    assert notice.args[0] == "info"
    session.draft.load_preset("bert-mini")
    with qtbot.waitSignal(session.draft.changed):
        page._bar._files.open(str(path))
    assert session.draft.value("model.d_model") == 64
    assert path.read_text(encoding="utf-8") == to_toml(session.draft.config, comments=True)


@pytest.mark.parametrize("text", ["model = 3", "[model]\nd_model = 0\nnum_heads = 0", "\x00", "[model"])
def test_a_wrong_config_changes_nothing_and_is_said_in_a_sentence(qtbot, page, session, own_folders: Path, text):
    path = own_folders / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    before = session.draft.raw
    with qtbot.waitSignal(session.notified) as notice:
        page._bar._files.open(str(path))
    level, sentence, *_ = notice.args
    assert level == "error"
    assert "wrong.toml" in sentence
    assert "\n" not in sentence
    assert session.draft.raw is before


def test_nothing_is_cut_off_at_the_smallest_size(qapp, page, session):
    apply_theme(qapp, "dark")
    session.draft.load_preset("t5-mini")
    for area in ("scroll_model", "scroll_training", "scroll_costs"):
        scroll = page.findChild(QWidget, area)
        assert scroll.widget().minimumSizeHint().width() <= scroll.viewport().width() or not scroll.isVisible(), area
    assert page._splitter.sizes()[0] >= 320


def test_splitter_and_fold_are_remembered(qtbot, page, session):
    page._forms["model"].more.set_folded(False)
    page._splitter.moveSplitter(400, 1)
    again = ModelPage(session)
    qtbot.addWidget(again)
    assert not again._forms["model"].more.folded
    assert session.settings.get("model.splitter", [0]) == page._splitter.sizes()


def test_the_memory_of_a_shared_training_is_that_of_each_device(page, session):
    session.draft.load_preset("nano-decoder")
    alone, width = sum(amount for _, amount in page._costs._memory.rows), page._costs.minimumSizeHint().width()
    assert words(page, "memory_total").endswith("of memory to train")
    session.draft.set("training.parallel", ["fsdp"])
    assert words(page, "memory_total").endswith("of memory on each device")
    assert page._costs.minimumSizeHint().width() == width, "its words are no wider than what stood there before"
    assert sum(amount for _, amount in page._costs._memory.rows) < alone
