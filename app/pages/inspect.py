"""Inspect: what every head of the open model looks at in a pinned text."""

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.capture import Capture
from app.page_keys import PageKeys
from app.panels.attention_lines import AttentionLines
from app.panels.attention_map import AttentionMap
from app.panels.head_grid import HeadGrid
from app.panels.model_chooser import ModelChooser, NoModel
from app.panels.pinned import Pinned
from app.panels.row_profile import RowProfile
from app.question import Question
from app.session import Session
from app.theme import GRID
from app.widgets.empty_state import EmptyState
from app.widgets.file_dialogs import ask_where
from app.widgets.segments import Segments
from tfmcore.messages import (
    AnyReply,
    Arrays,
    AttentionFacts,
    AttentionKind,
    ExportAttention,
    Exported,
    Inspect,
    Inspected,
)

ABOUT = "Weights of the eager path; the fused one gives the same."
EAGER = (
    "Only for inspection does the model compute attention step by step, so that its weights can be shown; "
    "training and generation use a fused path with the same results."
)


class InspectPage(QWidget):
    """The engine keeps the weights; the page asks for views of them."""

    help: ClassVar[str] = (
        "Type a text, for an encoder-decoder also a target, for an encoder that has learned from pairs both of them, "
        "and inspect it. On the left are all heads of all layers; "
        "click one to enlarge its weights: rows are queries, columns are keys; choose below it which weights the "
        "colours span. The wheel zooms, dragging pans, 0 shows everything. Click a row or a token to pin it and see "
        "what it attends to. Lines shows the heads of a layer as coloured lines: click a square to toggle a head, "
        "double-click to see it alone, hover a token for its lines. Long texts are shown coarsely at first, and in "
        "full as you zoom in. " + EAGER
    )

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="page_inspect")
        self._session = session
        self._attentions: dict[AttentionKind, AttentionFacts] = {}
        self._kind: AttentionKind = "encoder"
        self._asked = ("", "")
        self._last_head = 0
        self._stale = False
        self._pinned, self._heads = Pinned(session), HeadGrid(session)
        self._map, self._lines, self._profile = AttentionMap(session), AttentionLines(session), RowProfile(session)
        self._question = Question(session, "inspect", self)
        self._export_question = Question(session, "inspect_export", self)
        self._lay_out()
        PageKeys(
            self,
            (
                ("inspect_pinned", "Inspect the text", "Ctrl+Return", self._pinned.act),
                ("stop_inspecting", "Stop inspecting", "Ctrl+.", self._question.stop),
                ("toggle_mean", "Mean over heads, or one head", "Ctrl+M", self._mean.click),
                ("next_view", "Map or lines", "Ctrl+L", self._next_view),
                ("export_weights", "Export all weights as NPZ", "Ctrl+S", self._all.click),
            ),
        )
        self._wire()
        self._on_model_changed()

    # ── layout ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lay_out(self) -> None:
        self._no_model = NoModel(self._session, "inspect", "Then see what each of its heads attends to, in any text.")
        self._no_text = EmptyState(
            icon_name="magnify-scan",
            heading="Nothing is inspected yet",
            sentence="Type a text above, or take one from the Use page, and see what every head attends to.",
            action="Inspect the text above",
            action_name="action_inspect_first",
            objectName="inspect_empty",
        )
        self._content = QSplitter(Qt.Orientation.Horizontal, objectName="inspect_splitter", childrenCollapsible=False)
        for widget in (self._heads, self._views(), self._profile):
            self._content.addWidget(widget)
        self._content.setStretchFactor(1, 1)
        self._content.setSizes(self._session.settings.get("inspect.splitter", [340, 596, 260]))
        self._below = QStackedWidget()
        self._below.addWidget(self._no_text)
        self._below.addWidget(self._content)
        self._work = QWidget()
        column = QVBoxLayout(self._work, spacing=GRID)
        column.setContentsMargins(0, GRID, 0, 0)
        column.addWidget(ModelChooser(self._session, "inspect"))
        column.addWidget(self._pinned)
        column.addWidget(self._below, 1)
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self._no_model)
        self._pages.addWidget(self._work)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._pages)

    def _views(self) -> QWidget:
        self._choice = Segments(objectName="view", accessibleName="View")
        self._choice.set_choices(
            [("map", "Map"), ("lines", "Lines")], self._session.settings.get("inspect.view", "map")
        )
        self._name = QLabel(objectName="head_name")
        self._name.setProperty("role", "heading")
        self._mean = QCheckBox("Mean", objectName="action_mean_over_heads", toolTip="Mean over the heads of the layer")
        about = QLabel(ABOUT, objectName="about_weights", wordWrap=True, toolTip=EAGER)
        about.setProperty("role", "small")
        self._all = QPushButton(
            "All as NPZ…", objectName="action_export_npz", toolTip="Every layer and head with its tokens"
        )
        self._all.setProperty("kind", "quiet")
        self._export_map = self._map.map.exporter.button(object_name="export_map")
        self._export_lines = self._lines.arcs.exporter.button(object_name="export_lines")
        line = QHBoxLayout(spacing=GRID)
        for widget in (self._choice, self._name, self._mean):
            line.addWidget(widget)
        line.addStretch(1)
        for widget in (self._all, self._export_map, self._export_lines):
            line.addWidget(widget)
        self._view = QStackedWidget()
        self._view.addWidget(self._map)
        self._view.addWidget(self._lines)
        below = QHBoxLayout(spacing=GRID)
        below.addWidget(about, 1)
        below.addWidget(QLabel("Colours", buddy=self._heads.scale))
        below.addWidget(self._heads.scale)
        views = QWidget(objectName="views")
        column = QVBoxLayout(views, spacing=GRID // 2)
        column.setContentsMargins(GRID, 0, GRID, GRID)
        column.addLayout(line)
        column.addWidget(self._view, 1)
        column.addLayout(below)
        return views

    def _wire(self) -> None:
        session = self._session
        session.model_changed.connect(self._on_model_changed)
        session.pinned_changed.connect(self._on_pinned_changed)
        session.head_changed.connect(self._show_head)
        self._pinned.wanted.connect(self._on_wanted)
        self._pinned.stop_wanted.connect(self._question.stop)
        self._no_text.action_triggered.connect(self._pinned.act)
        self._question.replied.connect(self._on_replied)
        self._question.refused.connect(lambda sentence, _details: self._pinned.show_refusal(sentence))
        self._question.progressed.connect(self._pinned.show_progress)
        self._question.busy_changed.connect(self._pinned.show_busy)
        self._heads.kind_chosen.connect(self._on_kind_chosen)
        self._heads.scaled.connect(self._map.scale)
        self._heads.rescale()
        self._choice.chosen.connect(self._show_view)
        self._mean.clicked.connect(lambda mean: session.choose_head(session.layer, None if mean else self._last_head))
        for part in (self._map, self._lines, self._profile):
            part.row_pinned.connect(self._pin_row)
        self._all.clicked.connect(self._ask_where)
        self._export_question.replied.connect(self._on_exported)
        self._export_question.say_refusals()
        for exporter in (self._map.map.exporter, self._lines.arcs.exporter):
            exporter.failed.connect(lambda sentence: session.notify("error", sentence))
        self._content.splitterMoved.connect(lambda *_: session.settings.set("inspect.splitter", self._content.sizes()))
        self._show_view(self._choice.value)

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _on_wanted(self, text: str, second: str) -> None:
        self._session.pin(text, second)
        if not self._question.busy:
            self._inspect()

    def _on_pinned_changed(self) -> None:
        self._pinned.show_text(self._session.pinned_text, self._session.pinned_second)
        self._inspect_when_seen()

    def _on_model_changed(self) -> None:
        """What was seen belongs to another model; the pinned text is looked into again as soon as somebody looks."""
        saved = self._session.model
        self._pages.setCurrentWidget(self._work if saved else self._no_model)
        if saved is None:
            return
        self._question.forget()
        self._attentions = {}
        for part in (self._heads, self._map, self._lines, self._profile):
            part.clear()
        self._below.setCurrentWidget(self._no_text)
        self._pinned.show_model(saved)
        if self._session.pinned_text:
            self._pinned.show_text(self._session.pinned_text, self._session.pinned_second)
            self._inspect_when_seen()

    def _inspect_when_seen(self) -> None:
        self._stale = not self.isVisible()
        if not self._stale:
            self._inspect()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale and self._session.model:
            self._stale = False
            self._inspect()

    def _inspect(self) -> None:
        self._pinned.show_refusal("")
        session = self._session
        self._asked = (session.pinned_text, session.pinned_second if session.model and session.model.second else "")
        self._question.ask(Inspect, text=self._asked[0], second=self._asked[1])

    def _on_replied(self, reply: AnyReply, arrays: Arrays) -> None:
        if isinstance(reply, Inspected):
            self._attentions = dict(reply.attentions)
            self._pinned.show_notice(reply.notice)
            last = self._session.settings.get("inspect.kind", "cross")
            self._kind = next((kind for kind in self._attentions if kind == last), next(iter(self._attentions)))
            self._below.setCurrentWidget(self._content)
            self._heads.offer(self._attentions, self._kind)
            self._show_kind()

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _on_kind_chosen(self, kind: AttentionKind) -> None:
        self._kind = kind
        self._session.settings.set("inspect.kind", kind)
        self._show_kind()

    def _show_kind(self) -> None:
        facts, session = self._attentions[self._kind], self._session
        head = None if session.head is None else min(session.head, facts.heads - 1)
        session.choose_head(min(session.layer, facts.layers - 1), head)
        capture = Capture(*self._asked, self._kind, facts)
        for part in (self._heads, self._profile, self._map, self._lines):
            part.show_capture(capture)
        self._show_name()

    def _show_head(self) -> None:
        if self._attentions and not self._stale:
            self._heads.show_head()
            for part in (self._map, self._lines, self._profile):
                part.show_head()
        self._show_name()

    def _show_name(self) -> None:
        head = self._session.head
        self._last_head = self._last_head if head is None else head
        self._mean.setChecked(head is None)
        self._name.setText(f"Layer {self._session.layer + 1}" + ("" if head is None else f", head {head + 1}"))

    def _pin_row(self, token: int | None) -> None:
        """One token, wherever it was clicked, in all views."""
        for part in (self._map, self._lines, self._profile):
            part.pin_row(token)

    def _next_view(self) -> None:
        self._show_view("lines" if self._choice.value == "map" else "map")

    def _show_view(self, view: str) -> None:
        self._choice.choose(view)
        self._session.settings.set("inspect.view", view)
        self._view.setCurrentWidget(self._lines if view == "lines" else self._map)
        self._export_map.setVisible(view == "map")
        self._export_lines.setVisible(view == "lines")

    # ── exporting ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _ask_where(self) -> None:
        ask_where(self, "Export all attention", "attention.npz", self.export, "NumPy arrays (*.npz)", "npz")

    def export(self, path: str) -> None:
        """Have the engine write every weight to a file."""
        self._export_question.ask(ExportAttention, text=self._asked[0], second=self._asked[1], path=path)

    def _on_exported(self, reply: AnyReply, arrays: Arrays) -> None:
        if isinstance(reply, Exported):
            self._session.notify("info", f"All attention is saved as {reply.path}")
