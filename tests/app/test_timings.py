"""How long templates take: measured one by one while the machine is idle, remembered, and never a lie."""

import math
from pathlib import Path

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app.timings import Timings
from tests.app.pages.conftest import ToldEngine
from tfmcore.config import presets
from tfmcore.messages import BatchTried, Refused, TryBatch

PRESETS = [preset for preset in presets().values() if preset.card][:2]


def timings(engine: ToldEngine, folder: Path, idle: list[bool]) -> tuple[Timings, QObject, dict[str, float]]:
    owner, told = QObject(), {}
    return Timings(engine, folder, told.__setitem__, lambda: idle[0], owner), owner, told  # type: ignore[arg-type]


def answer(engine: ToldEngine, seconds: float) -> None:
    engine.answer(engine.requests(TryBatch)[-1], BatchTried, seconds=seconds, tokens=1, bytes=1, parameters=1)


def test_templates_are_measured_one_by_one_and_remembered(qtbot: QtBot, tmp_path: Path) -> None:
    engine = ToldEngine()
    watch, _owner, told = timings(engine, tmp_path, [True])
    watch.ask(PRESETS)
    assert len(engine.requests(TryBatch)) == 1
    answer(engine, 0.01)
    answer(engine, 0.02)
    steps = [preset.config().training.steps for preset in PRESETS]
    assert told[PRESETS[0].name] > 0.01 * steps[0]
    assert told[PRESETS[1].name] > 0.02 * steps[1]
    path = tmp_path / "timings.json"
    qtbot.waitUntil(lambda: path.exists() and path.read_text().count(":") == 2)
    again = ToldEngine()
    watch, _owner2, remembered = timings(again, tmp_path, [True])
    watch.ask(PRESETS)
    assert remembered == told
    assert not again.asked


def test_nothing_is_measured_while_a_run_keeps_the_machine_busy(qtbot: QtBot, tmp_path: Path) -> None:
    engine, idle = ToldEngine(), [False]
    watch, _owner, _ = timings(engine, tmp_path, idle)
    watch.ask(PRESETS)
    watch.go_on()
    assert not engine.asked
    idle[0] = True
    watch.go_on()
    watch.go_on()
    assert len(engine.asked) == 1


def test_a_refusal_leaves_the_time_unknown_and_goes_on(qtbot: QtBot, tmp_path: Path) -> None:
    engine = ToldEngine()
    watch, _owner, told = timings(engine, tmp_path, [True])
    watch.ask(PRESETS)
    engine.answer(engine.requests(TryBatch)[0], Refused, sentence="no")
    assert math.isnan(told[PRESETS[0].name])
    assert len(engine.asked) == 2


def test_a_damaged_memory_is_forgotten(qtbot: QtBot, tmp_path: Path) -> None:
    for content in ("", "[1]", '{"x": "y"}', "\x00"):
        (tmp_path / "timings.json").write_text(content)
        engine = ToldEngine()
        watch, _owner, told = timings(engine, tmp_path, [True])
        watch.ask(PRESETS)
        assert not told
        assert len(engine.asked) == 1
