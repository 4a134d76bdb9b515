"""Use and Inspect with a real engine process and models of random weights: every kind, and a death in mid-answer."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.pages.inspect import InspectPage
from app.pages.use import UsePage
from app.panels.classify import ClassifyPanel
from app.panels.fill import FillPanel
from app.panels.generate import GeneratePanel
from app.panels.translate import TranslatePanel
from app.session import Session
from tests.tfmcore.conftest import KINDS, TEXTS, write_model

LONGEST_MS = 60_000


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model folder of each of KINDS."""
    from tfmcore.config import TokenizerConfig
    from tfmcore.data.tokenizer_training import train_tokenizer

    tokenizer = train_tokenizer(TokenizerConfig(kind="char"), TEXTS)
    folder = tmp_path_factory.mktemp("models")
    for kind in KINDS:
        (folder / kind).mkdir()
        write_model(folder / kind, kind, tokenizer)
    return folder


def open_model(session: Session, folder: Path, qtbot: QtBot) -> None:
    with qtbot.waitSignal(session.model_changed, timeout=LONGEST_MS):
        session.open_model(str(folder))


def settle(session: Session, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not session.engine.busy, timeout=LONGEST_MS)


@pytest.fixture
def use(session: Session, qtbot: QtBot) -> UsePage:
    page = UsePage(session)
    qtbot.addWidget(page)
    page.show()
    return page


@pytest.mark.fault(38)
def test_a_decoder_writes_is_killed_in_mid_answer_and_writes_again(
    use: UsePage, session: Session, models: Path, qtbot: QtBot
) -> None:
    open_model(session, models / "decoder", qtbot)
    panel = use.panel
    assert isinstance(panel, GeneratePanel)
    panel.prompt.setPlainText("The quick ")
    panel.knobs.knobs["temperature"].setValue(0.0)  # drawn, its end could come at any token
    panel.knobs.knobs["max_new_tokens"].setValue(100_000)
    panel.act()
    qtbot.waitUntil(lambda: len(panel.written.tokens) > 5, timeout=LONGEST_MS)
    os.kill(session.engine.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: not panel.question.busy, timeout=LONGEST_MS)
    assert "was killed" in panel.refusal.text()
    panel.knobs.knobs["max_new_tokens"].setValue(12)
    panel.act()
    settle(session, qtbot)
    assert not panel.refusal.text()
    assert panel.written.tokens
    other = panel.written.tokens[0].alternatives[-1]
    panel.written.branch_wanted.emit(0, other)
    settle(session, qtbot)
    assert panel.written.tokens[0].token == other
    assert panel.written.whole.startswith("The quick " + other.text)


def test_a_classifier_a_translator_and_a_masked_model_answer(
    use: UsePage, session: Session, models: Path, qtbot: QtBot
) -> None:
    open_model(session, models / "classifier", qtbot)
    classify = use.panel
    assert isinstance(classify, ClassifyPanel)
    classify.text.setPlainText("quick")
    qtbot.waitUntil(lambda: bool(classify.bars.bars), timeout=LONGEST_MS)
    assert [label for label, _ in classify.bars.bars] == ["English", "Hungarian", "Klingon"]
    assert sum(share for _, share in classify.bars.bars) == pytest.approx(1)

    open_model(session, models / "translator", qtbot)
    translate = use.panel
    assert isinstance(translate, TranslatePanel)
    translate.text.setPlainText("dog")
    translate.act()
    settle(session, qtbot)
    assert not translate.refusal.text()
    assert translate.table.rowCount() == 4
    assert translate.map.values.shape[0] == len(translate.strip.pieces)

    open_model(session, models / "masked", qtbot)
    fill = use.panel
    assert isinstance(fill, FillPanel)
    fill.text.setPlainText("The ___ck d[MASK]g")
    fill.act()
    settle(session, qtbot)
    assert not fill.refusal.text()
    assert [len(mask.bars.bars) for mask in fill.masks] == [5, 5]


def test_every_model_is_looked_into(session: Session, models: Path, qtbot: QtBot, tmp_path: Path) -> None:
    page = InspectPage(session)
    qtbot.addWidget(page)
    page.resize(1196, 720)
    page.show()
    session.pin("The quick brown fox.")
    for kind, (architecture, _task) in KINDS.items():
        open_model(session, models / kind, qtbot)
        settle(session, qtbot)
        kinds = list(page._attentions)
        assert kinds == (["encoder", "decoder", "cross"] if architecture == "encoder_decoder" else [architecture])
        for name in kinds:
            page._on_kind_chosen(name)
            page._pin_row(1)
            settle(session, qtbot)
            facts = page._attentions[name]
            assert page._map.map.values.shape == (len(facts.rows), len(facts.columns))
            assert np.allclose(page._map.map.values.sum(axis=1), 1, atol=0.01), "rows of attention sum to one"
            assert page._heads.grid.maps.shape[:2] == (2, facts.heads)
            assert page._profile.bars.bars
        page.export(str(tmp_path / f"{kind}.npz"))
        settle(session, qtbot)
        assert set(kinds) <= set(np.load(tmp_path / f"{kind}.npz"))
