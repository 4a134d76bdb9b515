"""Generate: a prompt, how to draw the next token, and what the model writes on."""

from typing import ClassVar

from PySide6.QtWidgets import QPushButton, QVBoxLayout

from app.panels.use_panel import UsePanel, row
from app.panels.written import NUM_ALTERNATIVES, Written
from app.theme import icon
from app.widgets.knobs import Knob, Knobs, Number, Slider, Word
from tfmcore.config import SavedModel
from tfmcore.messages import AnyReply, Arrays, Candidate, Generate, Generated, Token

ESCAPES = {"\\n": "\n", "\\t": "\t"}


def stop_texts(text: str) -> list[str]:
    r"""The texts between semicolons; \n and \t are written out: "END; \n\n" → ["END", "\n\n"]."""
    found = [part.strip(" ") for part in text.split(";")]
    for written, meant in ESCAPES.items():
        found = [part.replace(written, meant) for part in found]
    return [part for part in found if part]


def _knob_facts() -> tuple[tuple[str, str, str, Knob, bool], ...]:
    """Name, title, tip and knob of each option, and whether it is folded away."""
    return (
        (
            "temperature",
            "Temperature",
            "Below 1 the likely tokens become likelier, above 1 less so; at 0 always the likeliest is taken",
            Slider(0.0, 2.0, zero="greedy"),
            False,
        ),
        (
            "top_k",
            "Top k",
            "Draw only from the k likeliest tokens; 0 keeps all",
            Number(0, 1_000_000, zero="all"),
            False,
        ),
        (
            "top_p",
            "Top p",
            "Draw only from the likeliest tokens that make up this share; 1 keeps all",
            Slider(0.05, 1.0),
            False,
        ),
        (
            "beams",
            "Beams",
            "2 and more: follow so many texts at once and show the likeliest, instead of drawing tokens",
            Number(1, 64),
            False,
        ),
        ("max_new_tokens", "Length", "Most tokens to write", Number(1, 100_000, step=50), False),
        (
            "min_p",
            "Min p",
            "Draw only from tokens at least this share as likely as the likeliest; 0 keeps all",
            Slider(0.0, 1.0, zero="all"),
            True,
        ),
        (
            "repetition_penalty",
            "Repetition penalty",
            "Above 1, tokens that stand in the text already become less likely",
            Slider(1.0, 2.0),
            True,
        ),
        (
            "length_penalty",
            "Length penalty",
            "Of beams: scores are divided by length to this power; larger values favour long texts",
            Slider(0.0, 5.0),
            True,
        ),
        (
            "seed",
            "Seed",
            "A number makes the same text come again; empty draws another each time",
            Word(pattern=r"\d{0,18}", placeholderText="another each time"),
            True,
        ),
        (
            "stop",
            "Stop at",
            r"Stop as soon as one of these texts is written; \n is a new line",
            Word(placeholderText=r"texts; between semicolons, \n"),
            True,
        ),
    )


class GeneratePanel(UsePanel):
    """Streams; a click on an alternative goes on from it instead."""

    verb: ClassVar[str] = "generate"

    def lay_out(self, left: QVBoxLayout, right: QVBoxLayout) -> None:
        self.prompt = self.editor("prompt", "The model writes on from here; empty: it begins by itself", 7)
        self.prompt.setAccessibleName("Prompt")
        self.knobs = self._knobs()
        self._go = QPushButton("Generate", objectName="action_generate", icon=icon("play", "on_accent"))
        self._go.setProperty("kind", "primary")
        self._go.setToolTip("Ctrl+Return")
        self._halt = QPushButton("Stop", objectName="action_stop_generate", icon=icon("stop"), toolTip="Ctrl+.")
        self._on = QPushButton("Write on", objectName="action_write_on", toolTip="Go on where the text ends")
        self.written = Written()
        left.addWidget(self.heading("Prompt"))
        left.addWidget(self.prompt)
        left.addLayout(row(self._go, self._halt, self._on))
        self.add_words(left)
        left.addWidget(self.knobs)
        right.addWidget(self.written)
        self._show_effective()
        self._go.clicked.connect(self.act)
        self._halt.clicked.connect(self.stop)
        self._on.clicked.connect(lambda: self._write(self.written.prompt, self.written.tokens))
        self.written.branch_wanted.connect(self._on_branch_wanted)
        self.written.inspect_wanted.connect(self._on_inspect_wanted)
        self.written.failed.connect(lambda sentence: self._session.notify("error", sentence))
        self.say_exports(self.written.strip.exporter)

    def _knobs(self) -> Knobs:
        knobs = Knobs("generate")
        for name, title, tip, knob, folded in _knob_facts():
            knobs.add(name, title, tip, knob, folded=folded)
            default = "" if isinstance(knob, Word) else Generate.model_fields[name].default
            knob.setValue(self._session.settings.get(f"use.generate.{name}", default))
        settings = self._session.settings
        knobs.more.set_folded(settings.get("use.generate.folded", True))
        knobs.more.folded_changed.connect(lambda folded: settings.set("use.generate.folded", folded))
        knobs.changed.connect(self._show_effective)
        return knobs

    def _show_effective(self) -> None:
        """A search draws nothing, and only a search compares texts by their length."""
        searching = self.knobs.values()["beams"] > 1
        self.knobs.set_effective(("temperature", "top_k", "top_p", "min_p", "seed"), not searching)
        self.knobs.set_effective(("length_penalty",), searching)

    def show_model(self, model: SavedModel) -> None:
        super().show_model(model)
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
        self._write(prompt, [])

    def _write(self, prompt: str, kept: list[Token]) -> None:
        values = self.knobs.values()
        for name, value in values.items():
            self._session.settings.set(f"use.generate.{name}", value)
        values["seed"] = int(values["seed"]) if values["seed"] else None
        values["stop"] = stop_texts(values["stop"])
        self.show_refusal("")
        self.written.start(prompt, kept)
        ids = [token.token.id for token in kept]
        self.question.ask(Generate, prompt=prompt, continuation=ids, alternatives=NUM_ALTERNATIVES, **values)

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
        self._halt.setVisible(busy)
        self._on.setVisible(not busy and bool(self.written.tokens))
        if not busy:
            self.written.end("" if self.refusal.text() else "stopped")
