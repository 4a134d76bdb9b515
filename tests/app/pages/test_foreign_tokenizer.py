"""A tokenizer.json made to do harm, opened in the window: a card that says so, and a window that lives."""

import shutil
import sys
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.engine_client import EngineClient
from app.pages.use import UsePage
from app.panels.generate import GeneratePanel
from app.session import Session
from tests.crafted import BOMB, CRAFTED, ENDLESS, ENDLESS_TEXT, craft
from tests.tfmcore.conftest import TEXTS, write_model

LONGEST_MS = 60_000
IMPATIENT = "from tfmcore.engine import server; server.PATIENCE_SECONDS = 1.0; server.main()"


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder of random weights with the tokenizer that belongs to it."""
    from tfmcore.config import TokenizerConfig
    from tfmcore.data.tokenizer_training import train_tokenizer

    folder = tmp_path_factory.mktemp("honest")
    write_model(folder, "decoder", train_tokenizer(TokenizerConfig(kind="char"), TEXTS))
    return folder


@pytest.fixture
def page(session: Session, qtbot: QtBot) -> UsePage:
    page = UsePage(session)
    qtbot.addWidget(page)
    page.show()
    return page


def write(page: UsePage, session: Session, qtbot: QtBot, folder: Path, prompt: str) -> GeneratePanel:
    """Open a model and have it write on; its panel."""
    with qtbot.waitSignal(session.model_changed, timeout=LONGEST_MS):
        session.open_model(str(folder))
    panel = page.panel
    assert isinstance(panel, GeneratePanel)
    panel.prompt.setPlainText(prompt)
    panel.knobs.knobs["temperature"].setValue(0.0)  # drawn, the first token could be the end
    panel.knobs.knobs["max_new_tokens"].setValue(5)
    panel.act()
    return panel


@pytest.mark.fault(33)
@pytest.mark.parametrize("name", ["a map of characters that is none", "an expression that doubles with each letter"])
def test_a_panic_is_a_card_and_the_window_goes_on(
    page: UsePage, session: Session, qtbot: QtBot, honest: Path, tmp_path: Path, name: str
) -> None:
    harmful = tmp_path / "harmful"
    shutil.copytree(honest, harmful)
    craft(harmful, CRAFTED[name])
    panel = write(page, session, qtbot, harmful, BOMB)
    qtbot.waitUntil(lambda: not panel.question.busy, timeout=LONGEST_MS)
    assert panel.refusal.isVisible()
    assert "tokenizer" in panel.refusal.text()
    process = session.engine.process_id
    panel = write(page, session, qtbot, honest, BOMB)
    qtbot.waitUntil(lambda: not panel.question.busy, timeout=LONGEST_MS)
    assert not panel.refusal.text()
    assert panel.written.tokens
    assert session.engine.process_id == process


@pytest.mark.fault(33)
def test_a_search_without_an_end_is_stopped_by_its_button(
    page: UsePage, session: Session, qtbot: QtBot, honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EngineClient, "program", [sys.executable, "-c", IMPATIENT])
    endless = tmp_path / "endless"
    shutil.copytree(honest, endless)
    craft(endless, ENDLESS)
    panel = write(page, session, qtbot, honest, "The ")
    qtbot.waitUntil(lambda: not panel.question.busy, timeout=LONGEST_MS)
    engine = psutil.Process(session.engine.process_id)
    used = sum(engine.cpu_times()[:2])
    panel = write(page, session, qtbot, endless, ENDLESS_TEXT)
    qtbot.waitUntil(lambda: sum(engine.cpu_times()[:2]) > used + 1, timeout=LONGEST_MS)
    panel.question.stop()
    qtbot.waitUntil(lambda: not panel.question.busy, timeout=LONGEST_MS)
    assert "could not be interrupted" in panel.refusal.text()
    qtbot.waitUntil(lambda: session.engine.process_id == 0, timeout=LONGEST_MS)
    panel = write(page, session, qtbot, honest, "The ")
    qtbot.waitUntil(lambda: not panel.question.busy, timeout=LONGEST_MS)
    assert not panel.refusal.text()
    assert panel.written.tokens
