"""Texts to try, each a click away: what suits the source, and what the run itself was tried on."""

import re

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from app.background import in_background
from app.session import Session
from app.theme import GRID
from app.widgets.flow import Flow
from app.widgets.focus import put_in_order
from tfmcore.config import SOURCES, SavedModel
from tfmcore.messages import Sampled
from tfmcore.runs import Run

MOST, LONGEST = 6, 34

EXAMPLES: dict[tuple[str, str], tuple[str, ...]] = {
    ("python_manual", "language_modeling"): ("The value of ", "If the class defines ", "An expression "),
    ("python_manual", "masked_language_modeling"): (
        "The [MASK] of the expression is evaluated.",
        "If the class [MASK] a method, it is [MASK].",
    ),
    ("python_manual", "span_corruption"): ("The <extra_id_0> of the expression is <extra_id_1>.",),
    ("python_manual", "denoising"): ("The value of [MASK] is evaluated first.",),
    ("cldr_translation", "translation"): ("Tuesday, March 2, 2021", "in 3 days", "$12.50", "Hungary"),
    ("cldr_language", "classification"): ("mardi 2 mars 2021", "2021. március 2., kedd", "dinsdag 2 maart 2021"),
    ("copy", "translation"): ("playground", "abcd"),
    ("reverse", "translation"): ("playground", "abcd"),
    ("sort", "translation"): ("playground", "dcba"),
    ("modular_addition", "translation"): ("12+85", "40+2"),
    ("modular_addition", "language_modeling"): ("12+85=", "40+2="),
    ("induction", "language_modeling"): ("k d x q k", "t r a n s f t"),
    ("brackets", "classification"): ("([()])", "([)]"),
    ("cldr_tagging", "token_tagging"): (
        "The meeting in Hungary on Tuesday, March 2, 2021 cost $12.50.",
        "Anna flew from Norway to Japan in 3 days.",
    ),
    ("cldr_answers", "question_answering"): (
        "When was the meeting?\nThe meeting was on Tuesday, March 2, 2021. It was held in Hungary, and the ticket cost "
        "$12.50.",
        "How much was the ticket?\nThe ticket to Norway cost €340.00. Anna flew on Friday, June 7, 2019.",
    ),
}


def built_in(model: SavedModel) -> tuple[str, ...]:
    """What is known to suit the model's source; phrases only in the language that they are in."""
    if "source_language" in SOURCES[model.data.source].options and model.data.source_language != "en":
        return ()
    return EXAMPLES.get((model.data.source, model.task), ())


def parted(example: str) -> tuple[str, str]:
    """A question and its text, which stand on two lines, or with a dot between them as a run's samples do."""
    question, *context = re.split(r"\n| · ", example, maxsplit=1)
    return question, "".join(context)


class Examples(QWidget):
    """`chosen(text)` when one is clicked; `first` is what a panel begins with."""

    chosen = Signal(str)

    def __init__(self, session: Session, name: str) -> None:
        super().__init__(objectName=f"examples_{name}")
        self._session = session
        self.texts: list[str] = []
        self._flow = Flow(spacing=GRID // 2)
        self.setLayout(self._flow)

    @property
    def first(self) -> str:
        return self.texts[0] if self.texts else ""

    def show_model(self, model: SavedModel) -> None:
        """The prompts of its run come first; those it was sampled on are read in a thread."""
        facts = self._session.runs.find(model.run)
        prompts = facts.config.training.sample_prompts if facts and facts.config else []
        self._show([*prompts, *built_in(model)])
        if facts and not prompts and "pair" not in model.data.columns:  # a sample of a pair is both texts in one
            known = list(self.texts)
            in_background(self, lambda: sampled_prompts(facts.run), lambda found: self._add(known, found), self._ignore)

    def _add(self, known: list[str], found: list[str]) -> None:
        if self.texts == known:
            self._show([*found, *known])

    def _ignore(self, _error: Exception) -> None:
        """A run that cannot be read says so on the Train page; here it only has no samples to offer."""

    def _show(self, texts: list[str]) -> None:
        self.texts = list(dict.fromkeys(text for text in texts if text))[:MOST]
        while item := self._flow.takeAt(0):
            if widget := item.widget():
                widget.deleteLater()
        if self.texts:
            label = QLabel("Try")
            label.setProperty("role", "muted")
            self._flow.addWidget(label)
        last: QWidget = self
        for number, text in enumerate(self.texts):
            short = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
            button = QPushButton(
                short.replace("&", "&&").replace("\n", "↵"), objectName=f"{self.objectName()}_{number}", toolTip=text
            )
            button.setProperty("kind", "quiet")
            button.clicked.connect(lambda _=False, text=text: self.chosen.emit(text))
            self._flow.addWidget(button)
            put_in_order(last, button)
            last = button
        self.setVisible(bool(self.texts))


def sampled_prompts(run: Run) -> list[str]:
    """The prompts of the run's first samples, up to the first that comes again."""
    found: list[str] = []
    for event in run.events():
        if isinstance(event, Sampled):
            if event.prompt in found or len(found) == MOST:
                break
            found.append(event.prompt)
    return found
