"""The form of one section of the config: essentials first, the rest folded in groups, redrawn with the draft."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from app.draft import Draft
from app.forms import layout
from app.forms.derived import WORDS, derived
from app.forms.field import Field
from app.theme import GRID
from app.widgets.section import FoldedSection
from tfmcore.config import Config, Option, Problem, find_preset, options, presets
from tfmcore.config.config import Raw

HIGHLIGHT_MS = 1600


class SectionForm(QWidget):
    """Edits go to `apply(path, value)`, which is the draft's `set` unless a page has more to do; `more` is the fold."""

    changed_fold = Signal(bool)

    def __init__(self, section: str, draft: Draft, apply: Callable[[str, Any], None] | None = None) -> None:
        super().__init__(objectName=f"form_{section}")
        self.section = section
        self.fields: dict[str, Field] = {}
        self._draft, self._apply = draft, apply or draft.set
        self._complaints: dict[str, tuple[Raw, Problem]] = {}
        self._headings: list[tuple[QLabel, list[Option]]] = []
        self.more = FoldedSection("More options", objectName=f"more_{section}")
        self._lay_out()
        self.more.folded_changed.connect(self.changed_fold)
        draft.changed.connect(self.redraw)
        self.redraw()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(0, 0, 0, 0)
        for option in layout.first(self.section):
            column.addWidget(self._field(option))
        folded = QWidget()
        inner = QVBoxLayout(folded, spacing=GRID // 2)
        inner.setContentsMargins(0, 0, 0, 0)
        for title, members in layout.rest(self.section).items():
            heading = QLabel(title)
            heading.setProperty("role", "muted")
            heading.setContentsMargins(2 * GRID + GRID // 2, GRID, 0, 0)
            if not title:
                heading.hide()
            inner.addWidget(heading)
            self._headings.append((heading, members if title else []))
            for option in members:
                inner.addWidget(self._field(option))
        self.more.set_content(folded)
        column.addWidget(self.more)

    def _field(self, option: Option) -> Field:
        field = Field(option)
        field.edited.connect(lambda value, path=option.path: self._apply(path, value))
        field.focused.connect(lambda: self._scroll_to(field))
        self.fields[option.path] = field
        return field

    # ── what the draft says ──────────────────────────────────────────────────────────────────────────────────────────

    def redraw(self) -> None:
        """Show the draft's values, problems, derived values and what differs from the preset."""
        draft, config = self._draft, self._draft.config
        values = {option.path: draft.value(option.path) for option in options()}
        self._complaints = {
            path: complaint for path, complaint in self._complaints.items() if complaint[0] is draft.raw
        }
        problems = {path: problem for path, (_, problem) in self._complaints.items()}
        problems |= {problem.field: problem for problem in reversed(draft.problems)}
        preset, reasons = preset_config(draft.preset), preset_reasons(draft.preset)
        for path, field in self.fields.items():
            option, problem = field.option, problems.get(path)
            if config and (option.optional or path in WORDS):
                field.editor.set_derived(*derived(config, path))
            field.explain(reasons.get(path, ""))
            field.set_preset_value(getattr(getattr(preset, option.section), option.name))
            field.set_value(values[path])
            field.set_problem(problem)
            field.setVisible(problem is not None or layout.matters(option, values))
        for heading, members in self._headings:
            heading.setVisible(any(not self.fields[option.path].isHidden() for option in members))
        if any(self.is_folded(path) for path in problems if path in self.fields):
            self.more.set_folded(False)

    def complain(self, path: str, sentence: str, mends: Any = None) -> None:
        """Show what the engine says about a field, and the value that mends it if any, until the draft changes."""
        self._complaints[path] = (self._draft.raw, Problem(path, sentence, mends))
        self.redraw()

    def withdraw(self, *paths: str) -> None:
        """What was said about these fields no longer holds."""
        if [path for path in paths if self._complaints.pop(path, None)]:
            self.redraw()

    def is_folded(self, path: str) -> bool:
        return self.more.folded and self.more.isAncestorOf(self.fields[path])

    def flush(self) -> None:
        """Say at once whatever is being typed."""
        for field in self.fields.values():
            field.editor.flush()

    # ── finding a field ──────────────────────────────────────────────────────────────────────────────────────────────

    def reveal(self, paths: Iterable[str]) -> None:
        """Unfold, scroll to and for a moment highlight the fields of `paths` that matter now; focus the first."""
        shown = [self.fields[path] for path in paths if path in self.fields and not self.fields[path].isHidden()]
        if not shown:
            return
        if any(self.is_folded(field.option.path) for field in shown):
            self.more.set_folded(False)
        for field in self.fields.values():
            field.set_highlighted(field in shown)
        QTimer.singleShot(HIGHLIGHT_MS, self, self._end_highlight)
        QTimer.singleShot(0, shown[0], lambda: self._enter(shown))  # once the unfolded fields have their places

    def _enter(self, shown: list[Field]) -> None:
        self._scroll_to(shown[-1])
        self._scroll_to(shown[0])
        shown[0].widget.setFocus()

    def _end_highlight(self) -> None:
        for field in self.fields.values():
            field.set_highlighted(False)

    def _scroll_to(self, field: Field) -> None:
        area: QWidget | None = self
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if isinstance(area, QScrollArea):
            area.ensureWidgetVisible(field, 0, 3 * GRID)


@cache
def preset_config(name: str) -> Config:
    """The whole config of a preset, or the defaults where there is none of that name."""
    return find_preset(name).config() if name in presets() else Config()


def preset_reasons(name: str) -> dict[str, str]:
    """Why the preset has the values it has, by option: "BERT, base: …"."""
    preset = presets().get(name)
    return {path: f"{preset.title}: {reason}" for path, reason in preset.reasons.items()} if preset else {}
