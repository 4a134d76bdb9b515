"""Fine-tuning from the window: a model's shape and tokenizer, other data, and what may not differ."""

from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from app.session import Session
from app.window import MainWindow
from tests.app.conftest import add_checkpoint
from tests.app.fake_engine import open_preset, open_task
from tfmcore.config import TASKS
from tfmcore.runs import Run


def fine_tune(session: Session, qtbot: QtBot) -> None:
    with qtbot.waitSignal(session.draft.changed):
        session.fine_tune(session.model_path)


@pytest.mark.parametrize("task", TASKS)
def test_a_model_of_every_task_becomes_a_design_without_problems(session: Session, qtbot: QtBot, task: str) -> None:
    saved = open_task(session, task)
    fine_tune(session, qtbot)
    draft = session.draft
    assert draft.problems == []
    assert draft.base == saved
    assert draft.value("training.finetune_from") == session.model_path
    assert draft.value("training.eval_at_start") is True
    assert draft.value("tokenizer.path") == str(Path(session.model_path) / "tokenizer.json")
    config = draft.config
    assert config is not None
    assert saved.model.architecture in TASKS[config.data.task].architectures
    assert (config.model.d_model, config.model.architecture) == (saved.model.d_model, saved.model.architecture)


def test_what_the_model_decides_may_not_differ_and_is_mended(session: Session, qtbot: QtBot) -> None:
    saved = open_preset(session, "gpt2-mini")
    fine_tune(session, qtbot)
    draft = session.draft
    draft.set("model.d_model", 64)
    assert [problem.field for problem in draft.problems] == ["model.d_model"]
    draft.set("model.d_model", draft.problems[0].nearest)
    assert draft.problems == []
    draft.set("tokenizer.kind", "char")
    assert [(problem.field, problem.nearest) for problem in draft.problems] == [("tokenizer.kind", "file")]
    draft.undo()
    draft.set("model.dropout", 0.3)
    draft.set("data.source", "file")
    assert {problem.field for problem in draft.problems} <= {"data.path"}
    draft.load_preset("bert-mini")
    assert draft.base is None, "a preset begins from scratch"
    assert draft.problems == []
    assert saved.model.d_model == 128


def test_own_data_stay_where_the_model_can_learn_them(session: Session, qtbot: QtBot) -> None:
    session.draft.set_many({"data.source": "cldr_language", "data.task": "classification"})
    session.draft.set("training.steps", 77)
    open_preset(session, "bert-mini")
    fine_tune(session, qtbot)
    assert session.draft.value("data.source") == "cldr_language"
    assert session.draft.value("training.steps") == 77
    session.draft.set_many({"data.source": "induction", "data.task": "language_modeling"})
    fine_tune(session, qtbot)
    assert session.draft.value("data.task") == "masked_language_modeling"


def test_a_run_is_gone_on_from_by_its_best_checkpoint(session: Session, qtbot: QtBot, run: Run) -> None:
    folder = add_checkpoint(run)
    with qtbot.waitSignal(session.draft.changed):
        session.fine_tune(str(run.folder))
    assert session.draft.value("training.finetune_from") == str(folder)


def test_the_act_leads_to_the_data_and_a_wrong_folder_is_said(session: Session, qtbot: QtBot, tmp_path: Path) -> None:
    window = MainWindow(session)
    qtbot.addWidget(window)
    open_preset(session, "gpt2-mini")
    with qtbot.waitSignal(session.page_wanted) as wanted:
        window.findChild(QAction, "action_fine_tune_model").trigger()
    assert wanted.args == ["data"]
    with qtbot.waitSignal(session.notified) as notified:
        session.fine_tune(str(tmp_path / "nowhere"))
    assert notified.args[0] == "error"
