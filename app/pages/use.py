"""Use: what the open model can do, by the panel that fits what it learned."""

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app.page_keys import PageKeys
from app.panels.answer import AnswerPanel
from app.panels.classify import ClassifyPanel
from app.panels.fill import FillPanel
from app.panels.generate import GeneratePanel
from app.panels.model_chooser import ModelChooser, NoModel
from app.panels.tag import TagPanel
from app.panels.translate import TranslatePanel
from app.panels.use_panel import UsePanel
from app.session import Session
from app.theme import GRID
from tfmcore.config import TASKS

PANELS: dict[str, type[UsePanel]] = {
    panel.verb: panel for panel in (GeneratePanel, ClassifyPanel, TranslatePanel, FillPanel, TagPanel, AnswerPanel)
}


class UsePage(QWidget):
    """One panel a verb, built when a model first needs it."""

    help: ClassVar[str] = (
        "What you see here depends on what the open model learned. A language model continues a prompt: each token is "
        "shaded by its probability; hover it for alternatives, click it and then an alternative to continue from that "
        "instead. A classifier shows its probabilities while you type. A translator lists its hypotheses with their "
        "scores and shows by cross-attention which words it attended to. A masked model fills [MASK] or ___. A tagger "
        "colours what it marks while you type; a model that answers questions highlights the best answer in the text, "
        "with the next best and the probability that there is none. Ctrl+Return asks, Ctrl+. stops. Choose another "
        "model at the top."
    )

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="page_use")
        self._session = session
        self._panels: dict[str, UsePanel] = {}
        self._lay_out()
        PageKeys(
            self,
            (
                ("ask_model", "Ask the model", "Ctrl+Return", self.act),
                ("stop_answer", "Stop the answer", "Ctrl+.", self.stop),
            ),
        )
        session.model_changed.connect(self._on_model_changed)
        self._on_model_changed()

    def _lay_out(self) -> None:
        self._nothing = NoModel(
            self._session, "use", "Then generate, classify, translate, fill gaps, tag or ask: whatever it learned."
        )
        self._chooser = ModelChooser(self._session, "use")
        self._stack = QStackedWidget()
        work = QWidget()
        column = QVBoxLayout(work, spacing=GRID)
        column.setContentsMargins(0, GRID, 0, 0)
        column.addWidget(self._chooser)
        column.addWidget(self._stack, 1)
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(work)
        self._work = work
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._pages)

    @property
    def panel(self) -> UsePanel | None:
        """The one on show."""
        return self._panels.get(TASKS[self._session.model.task].verb) if self._session.model else None

    def act(self) -> None:
        if self.panel:
            self.panel.act()

    def stop(self) -> None:
        if self.panel:
            self.panel.stop()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.panel:
            self.panel.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_model_changed(self) -> None:
        saved = self._session.model
        self._pages.setCurrentWidget(self._work if saved else self._nothing)
        if saved is None:
            return
        verb = TASKS[saved.task].verb
        for panel in self._panels.values():
            panel.question.forget()
        if verb not in self._panels:
            self._panels[verb] = PANELS[verb](self._session)
            self._stack.addWidget(self._panels[verb])
        self._stack.setCurrentWidget(self._panels[verb])
        self._panels[verb].show_model(saved)
