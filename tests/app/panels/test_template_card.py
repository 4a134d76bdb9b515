"""A card says what one will see and how long it takes, and starts what it says."""

import math

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from app.panels.template_card import TemplateCard
from app.preset_list import figures
from tfmcore import units
from tfmcore.cli.check import cost
from tfmcore.config import Preset, presets
from tfmcore.config.estimate import likely_cost

CARDS = [preset for preset in presets().values() if preset.card]


@pytest.mark.parametrize("preset", CARDS, ids=lambda preset: preset.name)
def test_each_card_trains_what_it_says(qtbot: QtBot, preset: Preset) -> None:
    card = TemplateCard(preset)
    qtbot.addWidget(card)
    assert preset.card is not None
    choice = card.findChild(QComboBox, f"choice_{preset.name}")
    if preset.card.choose:
        choice.setCurrentIndex(choice.findData("fr"))
    for name, signal in (("train", card.wanted), ("open", card.opened)):
        with qtbot.waitSignal(signal) as wanted:
            qtbot.mouseClick(card.findChild(QPushButton, f"action_{name}_{preset.name}"), Qt.MouseButton.LeftButton)
        assert wanted.args[0] == preset.name
        config = preset.config(wanted.args[1])
        assert config.data.task == preset.config().data.task
        assert not preset.card.choose or config.data.target_language == "fr"


@pytest.mark.parametrize("preset", CARDS, ids=lambda preset: preset.name)
def test_a_card_tells_the_size_that_every_other_place_tells(qtbot: QtBot, preset: Preset) -> None:
    """The card, the list of presets, the Model page's figures and `tfm check`."""
    card = TemplateCard(preset)
    qtbot.addWidget(card)
    size = units.count(likely_cost(preset.config()).total)
    assert f"{size} parameters" in card.findChild(QLabel, f"facts_{preset.name}").text()
    assert units.count(figures()[preset.name].parameters) == size
    assert units.count(cost(preset.config())["total_parameters"]) == size


def test_a_card_tells_the_time_once_it_is_known(qtbot: QtBot) -> None:
    card = TemplateCard(CARDS[0])
    qtbot.addWidget(card)
    facts = card.findChild(QLabel, f"facts_{CARDS[0].name}")
    assert "not timed on this machine yet" in facts.text()
    card.show_time(100.0)
    assert "about 1 min 40 s on this machine" in facts.text()
    card.show_time(math.nan)
    assert "not timed on this machine yet" in facts.text()
    assert "parameters" in facts.text()
