"""The design survives a restart, whatever state it is in; a damaged file costs the design, never the start."""

import os
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.kept_draft import read
from app.session import Session
from tests.app.conftest import add_checkpoint, until
from tfmcore.runs import Run


def restarted(session: Session) -> Session:
    session.close()
    return Session(session.workspace)


@pytest.mark.parametrize("layers", [7, 0], ids=["right", "wrong"])
def test_the_design_is_there_again(session: Session, layers: int) -> None:
    session.draft.load_preset("nano-encoder")
    session.draft.set_many({"model.num_layers": layers, "training.sample_prompts": ["ü 🙂"]})
    raw, problems = session.draft.raw, session.draft.problems
    again = restarted(session)
    assert (again.draft.raw, again.draft.problems) == (raw, problems)
    again.draft.undo()
    assert again.draft.raw == raw, "there is nothing to undo yet"
    again.close()


def test_it_is_written_a_moment_after_a_change(session: Session, qtbot: QtBot) -> None:
    session.draft.set("model.num_layers", 7)
    qtbot.waitUntil(lambda: read(session.workspace / "draft.toml").get("model", {}).get("num_layers") == 7)


def test_what_could_not_be_written_is_written_when_the_window_closes(
    session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = list[str]()

    def refuse(_: Path, to: Path) -> None:
        refusals.append(to.name)
        raise PermissionError(13, "Access is denied")  # as Windows says while a virus scanner looks

    with monkeypatch.context() as scanned:
        scanned.setattr(os, "replace", refuse)
        session.draft.set("model.num_layers", 7)
        qtbot.waitUntil(lambda: "draft.toml" in refusals)
    again = restarted(session)
    assert again.draft.value("model.num_layers") == 7
    again.close()


def test_what_it_begins_from_is_known_again(session: Session, qtbot: QtBot, run: Run) -> None:
    checkpoint = add_checkpoint(run)
    session.fine_tune(str(checkpoint))
    qtbot.waitUntil(lambda: session.draft.base is not None)
    again = restarted(session)
    qtbot.waitUntil(lambda: again.draft.base is not None)
    again.draft.set("model.d_model", 64)
    assert "model.d_model" in {problem.field for problem in again.draft.problems}, "the model has another width"
    again.close()


def test_the_open_model_and_the_chosen_run_are_there_again(session: Session, qtbot: QtBot, run: Run) -> None:
    add_checkpoint(run)
    until(qtbot, session, lambda: session.runs.facts)
    session.choose_run(run.id)
    with qtbot.waitSignal(session.model_changed):
        session.open_model(str(run.folder))
    again = restarted(session)
    assert again.run_id == run.id
    qtbot.waitUntil(lambda: again.model_path == session.model_path)
    again.close_model()
    last = restarted(again)
    qtbot.wait(100)
    assert last.model is None
    last.close()


def test_a_model_that_is_gone_is_not_missed(session: Session, qtbot: QtBot, run: Run, tmp_path: Path) -> None:
    session.settings.set("open.model", str(tmp_path / "gone"))
    session.close()
    again = Session(session.workspace)
    said: list[str] = []
    again.notified.connect(lambda _, sentence: said.append(sentence))
    qtbot.wait(200)
    assert (again.model, said) == (None, [])
    again.close()


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    "text", ["model = 3", "[model", "[model]\nd_model = 64\nunheard_of = 1\n[nowhere]\nx = 1", "\x00"]
)
def test_what_cannot_be_read_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "draft.toml").write_text(text)
    assert read(tmp_path / "draft.toml") == ({"model": {"d_model": 64}} if "d_model" in text else {})
    assert read(tmp_path / "none.toml") == {}
