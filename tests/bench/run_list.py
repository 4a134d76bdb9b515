"""How quickly the list of runs is read and shown: QT_QPA_PLATFORM=offscreen python -m tests.bench.run_list [RUNS].

Half of the runs have ended, the others wait in the queue. Printed: the first look, as when a window opens; a look while
nothing changes, which comes every second; what the window's own thread does to show them; and one turn of the queue.
"""

import sys
import tempfile
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.panels.run_table import RunTable
from app.run_actions import RunActions
from app.session import Session
from tests.bench.painting import milliseconds, words
from tfmcore.config import Config
from tfmcore.queue import Queue
from tfmcore.runs import Exit, Manifest, Run, RunState, list_runs, own_status


def fill(folder: Path, number: int) -> None:
    for index in range(number):
        run = Run.create(folder, Config(), f"run {index}")
        if index % 2:
            own_status(RunState.RUNNING, 1, step=1000, loss=2.0).write(run.folder / "status.json")
            Exit(state=RunState.FINISHED, step=1000).write(run.folder / "exit.json")
            checkpoint = run.folder / "checkpoints" / "step-00001000"
            checkpoint.mkdir()
            Manifest(step=1000, validation_loss=2.1, files={}).write(checkpoint / "manifest.json")
    waiting = [run.id for run in list_runs(folder) if run.exit() is None]
    Queue(folder).add(waiting)


def main(number: int = 200) -> None:
    application = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        fill(runs, number)
        queue = Queue(runs)
        with queue.being_run():  # so that nothing starts
            session = Session(Path(folder))
            session.runs.stop()

            def first_look() -> object:
                session.runs._seen = {}
                return session.runs._look()

            found = session.runs._look()
            table = RunTable(session, RunActions(session, session))
            table.show()

            def show() -> None:
                session.runs.facts = [] if session.runs.facts else list(found)
                table._show_runs()
                application.processEvents()

            print(f"{number} runs")
            print(f"first look:                {words(milliseconds(first_look, 20))}")
            print(f"each look after it:        {words(milliseconds(session.runs._look, 50))}")
            print(f"to show all or none:       {words(milliseconds(show, 50))}")
            print(f"whose turn it is:          {words(milliseconds(queue.ready, 20))}")
            session.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
