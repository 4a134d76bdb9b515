"""The list of presets: by family, searched while one types, with what each costs, by keys alone."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTreeWidgetItem
from pytestqt.qtbot import QtBot

from app import machine, preset_list
from app.panels.preset_chooser import NAME, PresetChooser
from tfmcore.config import presets


@pytest.fixture
def chooser(qtbot: QtBot) -> PresetChooser:
    chooser = PresetChooser()
    qtbot.addWidget(chooser)
    chooser.show()
    chooser.show_preset("bert-mini")
    qtbot.mouseClick(chooser, Qt.MouseButton.LeftButton)
    return chooser


def shown(chooser: PresetChooser) -> set[str]:
    return {name for name, item in chooser.list.items.items() if not item.isHidden()}


def headings(chooser: PresetChooser) -> list[QTreeWidgetItem]:
    tree = chooser.list.tree
    return [tree.topLevelItem(number) for number in range(tree.topLevelItemCount())]


def test_every_preset_stands_under_its_family(chooser: PresetChooser) -> None:
    assert shown(chooser) == set(presets())
    for heading in headings(chooser):
        for row in range(heading.childCount()):
            preset = presets()[heading.child(row).data(0, NAME)]
            assert preset_list.family_of(preset) == heading.text(0)
    assert chooser.list.tree.currentItem().data(0, NAME) == "bert-mini"
    assert chooser.text() == presets()["bert-mini"].title
    assert chooser.accessibleName() == f"Preset: {chooser.text()}"


def test_typing_searches_and_return_chooses(chooser: PresetChooser, qtbot: QtBot) -> None:
    qtbot.keyClicks(chooser.list.search, "T5 laptop")
    assert shown(chooser) == {name for name, preset in presets().items() if preset_list.matches(preset, "t5 laptop")}
    assert "t5-mini" in shown(chooser)
    assert all(heading.isHidden() for heading in headings(chooser) if heading.text(0) == preset_list.STARTS)
    with qtbot.waitSignal(chooser.chosen) as chosen:
        qtbot.keyClick(chooser.list.search, Qt.Key.Key_Return)
    assert chosen.args[0] in shown(chooser)
    assert not chooser.list.isVisible()


def test_the_arrow_keys_move_and_headings_cannot_be_chosen(chooser: PresetChooser, qtbot: QtBot) -> None:
    before = chooser.list.tree.currentItem()
    qtbot.keyClick(chooser.list.search, Qt.Key.Key_Down)
    after = chooser.list.tree.currentItem()
    assert after is not before
    heading = headings(chooser)[0]
    assert not heading.flags() & Qt.ItemFlag.ItemIsSelectable
    with qtbot.assertNotEmitted(chooser.chosen):
        chooser.list.tree.itemClicked.emit(heading, 0)
    qtbot.keyClicks(chooser.list.search, "nothing is called that")
    with qtbot.assertNotEmitted(chooser.chosen):
        qtbot.keyClick(chooser.list.search, Qt.Key.Key_Return)


def test_the_arrow_keys_pass_over_the_headings(chooser: PresetChooser, qtbot: QtBot) -> None:
    tree, passed = chooser.list.tree, list[str]()
    tree.setCurrentItem(headings(chooser)[0].child(0))
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
        for _ in chooser.list.items:
            passed.append(tree.currentItem().data(0, NAME))
            qtbot.keyClick(chooser.list.search, key)
    assert sorted(passed) == sorted([*presets(), *presets()])


def test_what_each_costs_follows_and_what_does_not_fit_is_for_reading(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = sorted(figures.memory for figures in preset_list.figures().values())[3]
    monkeypatch.setattr(machine, "memory", lambda: limit)
    preset_list.figures.cache_clear()
    chooser = PresetChooser()
    qtbot.addWidget(chooser)
    chooser.click()
    qtbot.waitUntil(lambda: all(item.text(1) for item in chooser.list.items.values()))
    fitting = {name for name, item in chooser.list.items.items() if "for reading" not in item.text(2)}
    assert fitting == {name for name, figures in preset_list.figures().items() if figures.memory <= limit}
    assert 0 < len(fitting) < len(presets())
    preset_list.figures.cache_clear()
