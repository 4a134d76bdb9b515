"""The picture of a shared training follows the draft, and is not there where nothing is shared."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from app.pages.model import ModelPage
from app.panels.devices import Devices
from app.widgets.device_grid import DeviceGrid
from tfmcore.config.placement import held_by, share_of


@pytest.fixture
def panel(qtbot, session) -> Devices:
    panel = Devices(session)
    qtbot.addWidget(panel)
    panel.resize(560, 300)
    session.draft.set("training.batch_size", 12)
    return panel


def title(panel: Devices) -> str:
    return panel.findChild(QLabel, "devices_title").text()


def grid(panel: Devices) -> DeviceGrid:
    return panel.findChild(DeviceGrid, "device_grid")


def test_one_process_has_no_picture(panel, session):
    assert panel.isHidden()
    session.draft.set("training.parallel", ["data"])
    assert not panel.isHidden()
    session.draft.set("training.parallel", [])
    assert panel.isHidden()


def test_it_follows_each_edit(panel, session):
    session.draft.set("training.parallel", ["tensor"])
    assert title(panel) == "<b>2 processes: tensor 2</b>"
    assert len(grid(panel).drawing.cards) == 2
    session.draft.set("training.num_processes", 4)
    session.draft.set("training.parallel", ["tensor", "data"])
    assert title(panel) == "<b>4 processes: data 2 × tensor 2</b>"
    assert grid(panel).axes == [("data", 2), ("tensor", 2)]
    config = session.draft.config
    for rank in range(4):
        assert list(grid(panel).card(rank).lines) == held_by(config, share_of(config, rank))
    assert grid(panel).card(2).tip.startswith("Process 3 of 4 (rank 2)\ndata 2 of 2, tensor 1 of 2\nheads 1–2 of 4")


def test_a_kind_ticked_with_the_mouse_is_shown(qtbot, session):
    page = ModelPage(session)
    qtbot.addWidget(page)
    page.resize(1196, 736)
    page.show()
    editor, panel = page._forms["training"].fields["training.parallel"].editor, page.findChild(Devices, "devices")
    assert panel.isHidden()
    editor.showPopup()
    place = editor.menu.actionGeometry(editor.ticks["tensor"]).center()
    qtbot.mouseClick(editor.menu, Qt.MouseButton.LeftButton, pos=place)
    assert not panel.isHidden()
    assert title(panel) == "<b>2 processes: tensor 2</b>"
    qtbot.mouseClick(editor.menu, Qt.MouseButton.LeftButton, pos=place)
    assert panel.isHidden()


def test_what_cannot_be_shared_is_said_in_its_place(panel, session):
    session.draft.set("training.parallel", ["tensor"])
    session.draft.set("training.num_processes", 3)
    problem = panel.findChild(QLabel, "devices_problem")
    assert not problem.isHidden()
    assert "cannot be split among 3 processes" in problem.text()
    assert grid(panel).isHidden()
    session.draft.undo()
    assert problem.isHidden()
    assert not grid(panel).isHidden()


def test_a_problem_elsewhere_is_said_too(panel, session):
    session.draft.set("training.parallel", ["data"])
    session.draft.set("model.num_heads", 3)
    assert "“Heads”: “Width” 128 is not" in panel.findChild(QLabel, "devices_problem").text()


@pytest.mark.parametrize("number", [2, 8, 64, 4096])
def test_it_leaves_room_for_the_diagram(qtbot, session, number):
    page = ModelPage(session)
    qtbot.addWidget(page)
    page.resize(1196, 736)
    page.show()
    session.draft.set("training.batch_size", 4096)
    session.draft.set("training.num_processes", number)
    session.draft.set("training.parallel", ["data"])
    panel = page.findChild(Devices, "devices")
    qtbot.waitUntil(panel.isVisible)
    assert page._diagram.height() >= 200
    assert page.findChild(QLabel, "devices_title").text() == f"<b>{number:,} processes: data {number:,}</b>"


def test_how_many_processes_is_asked_only_where_there_are_several(qtbot, session):
    page = ModelPage(session)
    qtbot.addWidget(page)
    fields = page._forms["training"].fields
    assert fields["training.num_processes"].isHidden()
    session.draft.set("training.parallel", ["data"])
    assert not fields["training.num_processes"].isHidden()
    assert fields["training.parallel_sizes"].isHidden()
    session.draft.set("training.num_processes", 4)
    session.draft.set("training.parallel", ["data", "tensor"])
    assert not fields["training.parallel_sizes"].isHidden()
