"""What one can do with the chosen run besides training it: the same menu in the list and in the run's bar."""

from collections.abc import Callable

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication

from app.actions import PAGE, WIDGET, make_action
from app.run_watch import RunFacts
from app.session import Session


class RunActions(QObject):
    """`all` in the order of a menu; `rename_wanted` where the list lets its label be edited."""

    rename_wanted = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._delete = self._action(
            "delete_run", "Delete", "trash-can-outline", "Delete", lambda facts: session.delete_runs([facts])
        )
        self._delete.setShortcutContext(WIDGET)  # not while one reads the log
        apart, queue = self._separator(), session.queue
        self._waiting = {
            name: self._action(f"{name}_run", text, glyph, keys, act)
            for name, text, glyph, keys, act in (
                ("queue", "Add to queue", "tray-plus", "Ctrl+Shift+A", queue.add),
                ("unqueue", "Remove from queue", "tray-minus", "Ctrl+Shift+X", queue.remove),
                ("raise", "Earlier in the queue", "arrow-up", "Ctrl+Shift+Up", lambda facts: queue.move(facts, -1)),
                ("lower", "Later in the queue", "arrow-down", "Ctrl+Shift+Down", lambda facts: queue.move(facts, 1)),
            )
        }
        self.all = [
            self._action("rename_run", "Rename", "pencil-outline", "F2", lambda _: self.rename_wanted.emit()),
            self._action(
                "design_from_run", "New design from its config", "file-replace-outline", "Ctrl+D", session.design_from
            ),
            self._action(
                "branch_run", "Branch from its last checkpoint…", "source-branch", "Ctrl+B", session.branch_from
            ),
            self._action(
                "fine_tune_run",
                "Fine-tune on other data…",
                "tune",
                "Ctrl+Shift+D",
                lambda facts: session.fine_tune(str(facts.run.folder)),
            ),
            self._action(
                "copy_run_id",
                "Copy its id",
                "content-copy",
                "Ctrl+Shift+C",
                lambda facts: QGuiApplication.clipboard().setText(facts.id),
            ),
            self._action(
                "show_run_folder", "Open its folder", "folder-open-outline", "Ctrl+Shift+O", self._show_folder
            ),
            apart,
            *self._waiting.values(),
            self._separator(),
            self._delete,
        ]
        session.runs.changed.connect(self._enable)
        session.run_changed.connect(self._enable)
        self._enable()

    def _action(self, name: str, text: str, glyph: str, key: str, act: Callable[[RunFacts], None]) -> QAction:
        return make_action(self, name, text, lambda: self._do(act), key, glyph=glyph, scope=PAGE)

    def _separator(self) -> QAction:
        action = QAction(self)
        action.setSeparator(True)
        return action

    def _show_folder(self, facts: RunFacts) -> None:
        """Open a run's folder in the desktop's file manager."""
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(facts.run.folder))):
            self._session.notify("warning", f"No file manager opened; the folder is {facts.run.folder}")

    def _do(self, act: Callable[[RunFacts], None]) -> None:
        if facts := self._chosen():
            act(facts)

    def _chosen(self) -> RunFacts | None:
        return self._session.runs.find(self._session.run_id)

    def _enable(self) -> None:
        facts = self._chosen()
        for action in self.all:
            action.setEnabled(facts is not None)
        self._delete.setEnabled(facts is not None and not facts.state.alive)
        place, last = facts.place if facts else 0, max((each.place for each in self._session.runs.facts), default=0)
        self._waiting["queue"].setEnabled(facts is not None and facts.may_wait)
        self._waiting["unqueue"].setEnabled(place > 0)
        self._waiting["raise"].setEnabled(place > 1)
        self._waiting["lower"].setEnabled(0 < place < last)
