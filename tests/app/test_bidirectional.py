"""Words from right to left keep what stands after them after them, on the screen and in no file."""

import pytest
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.bidirectional import isolated, plain
from app.header import Header
from app.model_actions import ModelActions
from app.panels.model_chooser import describe
from app.session import Session
from app.widgets.curve import CurveStyle
from app.widgets.live_plot import LivePlot
from app.widgets.marked_text import Mark, MarkedText
from app.widgets.swatch import Swatch
from tests.app.conftest import facts_of, until
from tfmcore.runs import Run, RunState

PEACE = "שלום"


@pytest.mark.parametrize("words", [PEACE, f"run {PEACE}", "سلام"])
def test_only_words_from_right_to_left_are_isolated(words: str) -> None:
    assert isolated(words) == f"\u200e\u2068{words}\u2069"
    assert plain(isolated(words)) == words
    assert isolated("run 1, 2.5 é 漢") == "run 1, 2.5 é 漢"


def test_a_run_is_named_so_in_sentences(session: Session, qtbot: QtBot, run: Run) -> None:
    run.rename(PEACE)
    owner = QWidget()
    header = Header(session, ModelActions(session, owner))
    for widget in (owner, header):
        qtbot.addWidget(widget)
    until(qtbot, session, lambda: [facts.label for facts in session.runs.facts] == [PEACE])
    assert header.findChild(QPushButton, "header_running").text().startswith(f"{isolated(PEACE)}: running")
    assert describe(facts_of(run, RunState.FINISHED)).startswith(f"{isolated(PEACE)} · ")
    with qtbot.waitSignal(session.notified) as said:
        session.delete_runs(session.runs.facts)
    assert said.args[1].startswith(f"“{isolated(PEACE)}” is running")


def test_legends_isolate_and_files_do_not(qtbot: QtBot) -> None:
    plot, swatch, marked = LivePlot(title="Loss"), Swatch(PEACE, 0), MarkedText(name="tagged")
    for widget in (plot, swatch, marked):
        qtbot.addWidget(widget)
    plot.add_series("a", CurveStyle("series:0"), PEACE)
    plot.set_series("a", [1, 2], [3.0, 4.0])
    plot.curves["a"].show_value(None)
    assert plot.curves["a"].button.text().startswith(f"{isolated(PEACE)} 4")
    swatch.set_count(3)
    assert swatch.words == f"{isolated(PEACE)}  3"
    marked.set_text("one", [Mark(0, 3, f"{isolated(PEACE)} 98%")])
    tables = [[str(cell) for row in widget.table() for cell in row] for widget in (plot, marked)]
    assert [PEACE in tables[0], f"{PEACE} 98%" in tables[1]] == [True, True]
