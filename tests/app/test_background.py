"""Work in threads: its result or error comes back into the window's thread, or nowhere if nobody is there."""

import threading

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app.background import in_background


def test_results_and_errors_come_back_into_this_thread(qtbot: QtBot) -> None:
    owner, told = QObject(), []
    in_background(owner, threading.get_ident, lambda ident: told.append((ident, threading.get_ident())), told.append)
    in_background(owner, lambda: 1 // 0, told.append, lambda error: told.append((type(error), threading.get_ident())))
    qtbot.waitUntil(lambda: len(told) == 2)
    here = threading.get_ident()
    results = dict(told)
    assert results.pop(ZeroDivisionError) == here
    worker, deliverer = results.popitem()
    assert worker != here == deliverer


def test_nothing_reaches_an_owner_that_is_gone(qtbot: QtBot) -> None:
    owner, other, told = QObject(), QObject(), []
    go = threading.Event()
    in_background(owner, go.wait, told.append, told.append)
    owner.deleteLater()
    qtbot.wait(1)
    go.set()
    in_background(other, lambda: "last", told.append, told.append)
    qtbot.waitUntil(lambda: "last" in told)
    assert told == ["last"]


def test_a_storm_of_jobs_arrives_complete(qtbot: QtBot) -> None:
    owner, told = QObject(), []
    for number in range(2000):
        in_background(owner, lambda number=number: number, told.append, told.append)
    qtbot.waitUntil(lambda: len(told) == 2000)
    assert sorted(told) == list(range(2000))
