"""How a design differs from its preset: every difference is named, leads to its field, and can be taken back."""

import pytest
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from app.panels.differences import MOST, Differences
from app.session import Session
from tests.app.fake_engine import open_preset
from tfmcore.config import find_preset, options, presets


@pytest.fixture
def differences(session: Session, qtbot: QtBot) -> Differences:
    session.draft.load_preset("bert-mini")
    panel = Differences(session)
    qtbot.addWidget(panel)
    return panel


def buttons(panel: Differences) -> dict[str, QAbstractButton]:
    """Those that are shown now, by name."""
    shown = [panel._flow.itemAt(number).widget() for number in range(panel._flow.count())]
    inside = [button for widget in shown for button in widget.findChildren(QAbstractButton)]
    return {widget.objectName(): widget for widget in (*shown, *inside) if isinstance(widget, QAbstractButton)}


def texts(panel: Differences) -> list[str]:
    return [button.text() for name, button in buttons(panel).items() if name.startswith("difference_")]


@pytest.mark.parametrize("name", presets())
def test_a_preset_as_it_stands_differs_in_nothing(differences: Differences, session: Session, name: str) -> None:
    session.draft.load_preset(name)
    assert differences.shown == {}
    assert differences.isHidden()


def test_a_difference_is_named_and_taken_back(differences: Differences, session: Session, qtbot: QtBot) -> None:
    session.draft.set("model.num_layers", 6)
    session.draft.set("model.norm_placement", "sandwich")
    session.draft.set("data.seed", 7)
    assert not differences.isHidden()
    assert texts(differences) == ["Layers: 4 → 6", "Norm placement: post → sandwich"]
    assert "BERT, mini: After the sum" in buttons(differences)["difference_model_norm_placement"].toolTip()
    assert "2 options differ from “BERT, mini”" in differences._flow.itemAt(0).widget().text()
    with qtbot.waitSignal(session.field_wanted) as wanted:
        buttons(differences)["difference_model_num_layers"].click()
    assert wanted.args == ["model.num_layers"]
    buttons(differences)["undo_difference_model_num_layers"].click()
    assert session.draft.value("model.num_layers") == 4
    assert list(differences.shown) == ["model.norm_placement"]


def test_many_differences_are_folded_and_all_go_in_one_step(
    differences: Differences, session: Session, qtbot: QtBot
) -> None:
    numbers = [option for option in options("training") if option.kind == "int" and not option.optional][: MOST + 2]
    preset = find_preset("bert-mini").config().training
    session.draft.set_many({option.path: getattr(preset, option.name) + 1 for option in numbers})
    assert len(texts(differences)) == MOST
    assert buttons(differences)["action_more_differences"].text() == f"{len(numbers) - MOST} more"
    buttons(differences)["action_more_differences"].click()
    assert len(texts(differences)) == len(numbers)
    assert buttons(differences)["action_more_differences"].text() == "fewer"
    changed = session.draft.raw
    buttons(differences)["action_reset_differences"].click()
    assert session.draft.config == find_preset("bert-mini").config()
    session.draft.undo()
    assert session.draft.raw == changed


def test_an_empty_option_goes_back_to_empty(differences: Differences, session: Session) -> None:
    session.draft.set("model.d_ff", 100)
    assert texts(differences) == ["Feed-forward width: empty → 100"]
    buttons(differences)["undo_difference_model_d_ff"].click()
    assert session.draft.value("model.d_ff") is None


def test_a_design_without_a_preset_or_from_another_model_is_compared_with_none(
    differences: Differences, session: Session, qtbot: QtBot
) -> None:
    session.draft.set_many({"model.preset": "", "model.d_model": 64})
    assert differences.shown == {}
    open_preset(session, "gpt2-mini")
    with qtbot.waitSignal(session.draft.changed):
        session.fine_tune(session.model_path)
    assert differences.shown == {}
