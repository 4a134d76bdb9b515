"""Generate: a prompt, how to draw the next token, and what the model writes on."""

from typing import ClassVar

from PySide6.QtWidgets import QPushButton, QVBoxLayout

from app.actions import named_keys
from app.panels.use_panel import UsePanel, row
from app.panels.writing_knobs import WritingKnobs
from app.panels.written import NUM_ALTERNATIVES, Written
from app.theme import icon
from app.widgets.focus import show_instead
from tfmcore.config import SavedModel
from tfmcore.messages import AnyReply, Arrays, Candidate, Generate, Generated, Token


class GeneratePanel(UsePanel):
    """Streams; a click on an alternative goes on from it instead."""

    verb: ClassVar[str] = "generate"

    def lay_out(self, left: QVBoxLayout, right: QVBoxLayout) -> None:
        self.prompt = self.editor("prompt", "The prompt that the model continues; empty: it starts from nothing", 7)
        self.prompt.setAccessibleName("Prompt")
        self.knobs = WritingKnobs(self._session, self.verb, Generate)
        self._go = QPushButton("Generate", objectName="action_generate", icon=icon("play", "on_accent"))
        self._go.setProperty("kind", "primary")
        self._go.setToolTip(named_keys("Ctrl+Return"))
        self._halt = QPushButton("Stop", objectName="action_stop_generate", icon=icon("stop"))
        self._halt.setToolTip(named_keys("Ctrl+."))
        self._on = QPushButton("Write on", objectName="action_write_on", toolTip="Continue where the text ends")
        self.written, self._separator = Written(), ""
        left.addWidget(self.heading("Prompt"))
        left.addWidget(self.prompt)
        left.addLayout(row(self._go, self._halt, self._on))
        self.add_words(left)
        left.addWidget(self.knobs)
        right.addWidget(self.written)
        self._go.clicked.connect(self.act)
        self._halt.clicked.connect(self.stop)
        self._on.clicked.connect(lambda: self._write(self.written.prompt, self.written.tokens))
        self.written.branch_wanted.connect(self._on_branch_wanted)
        self.written.inspect_wanted.connect(self._on_inspect_wanted)
        self.written.failed.connect(lambda sentence: self._session.notify("error", sentence))
        self.say_exports(self.written.strip.exporter)

    def show_model(self, model: SavedModel) -> None:
        super().show_model(model)
        self._separator = model.data.separator
        self.prompt.setPlainText(self.remembered("prompt", self.examples.first))
        self.written.clear()
        self.take_busy(False)

    def show_text(self, text: str) -> None:
        self.prompt.setPlainText(text)
        self.act()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def act(self) -> None:
        prompt = self.prompt.toPlainText()
        self.remember("prompt", prompt)
        self._write(prompt + self._separator, [])

    def _write(self, prompt: str, kept: list[Token]) -> None:
        self.show_refusal("")
        self.written.start(prompt, kept)
        ids = [token.token.id for token in kept]
        self.question.ask(
            Generate,
            prompt=prompt,
            separator="",
            continuation=ids,
            alternatives=NUM_ALTERNATIVES,
            **self.knobs.fields(),
        )

    def _on_branch_wanted(self, index: int, candidate: Candidate) -> None:
        self._write(self.written.prompt, self.written.branch(index, candidate))

    def _on_inspect_wanted(self, text: str) -> None:
        self._session.pin(text)
        self._session.show_page("inspect")

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def take_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        match reply:
            case Token():
                self.written.append(reply)
            case Generated():
                self.written.finish(reply)

    def take_busy(self, busy: bool) -> None:
        written = [self._on] if self.written.tokens else []
        show_instead(*([self._halt], [self._on]) if busy else ([*written, self._go], [self._halt]))
        if not busy:
            self.written.end("" if self.refusal.text() else "stopped")
