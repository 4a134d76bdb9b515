"""Model: the form of the model and its training, the block diagram drawn from it, and what it costs, all live."""

from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app import diagram
from app.forms.section_form import SectionForm
from app.page_keys import PageKeys
from app.panels.costs import Costs
from app.panels.devices import Devices
from app.panels.differences import Differences
from app.panels.preset_bar import PresetBar
from app.panels.rate_range import RateRange
from app.preparation import Preparation
from app.session import Session
from app.theme import GRID
from app.widgets.column_area import ColumnArea
from app.widgets.diagram import BlockDiagram
from tfmcore.config import SOURCES, TASKS

SECTIONS = {"model": "Model", "training": "Training"}


class ModelPage(QWidget):
    """Edits go to the session's draft; everything else is redrawn from it."""

    help: ClassVar[str] = (
        "Design a model and how it is trained. Start from a preset, at laptop size or, for reading, at full size, and "
        "change what you like: the line above the form lists what differs from the preset, a dot marks it, and a "
        "click on either returns to the preset's value. Every name has a tooltip that explains it; numbers may be "
        "typed as 1e-3, 1_000 or 2k, and the arrow keys step. The diagram shows the model with the shape of each "
        "tensor (B is the batch); click a block to find its options. Where several processes share the training, "
        "cards below it show which layers, heads, shards and examples each has. Beside it are the parameters, memory "
        "and compute of the design; Try one batch measures the real time of a step on this machine, and Find a "
        "learning rate runs a short range test, in which the learning rate rises. Ctrl+Z undoes, Ctrl+Shift+Z redoes, "
        "Ctrl+Return trains."
    )

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="page_model")
        self._session, self._preparation = session, Preparation.of(session)
        self._bar = PresetBar(session)
        self._differences = Differences(session, self)
        self._forms = {name: SectionForm(name, session.draft, self._apply) for name in SECTIONS}
        self._tabs = {
            name: QPushButton(title, objectName=f"tab_{name}", checkable=True) for name, title in SECTIONS.items()
        }
        self._data = QLabel(objectName="data_summary", wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._diagram = BlockDiagram(objectName="diagram", accessibleName="Block diagram of the model")
        self._devices, self._costs, self._rates = Devices(session, self), Costs(session), RateRange(session)
        self._lay_out()
        self._wire()
        PageKeys(
            self,
            (
                ("measure_batch", "Try one batch", "Ctrl+T", self._costs.try_batch),
                ("largest_batch", "Find the largest batch", "Ctrl+B", self._costs.find_batch),
                ("stop_measuring", "Stop trying", "Ctrl+.", self._costs.cancel),
                ("find_learning_rate", "Find a learning rate", "Ctrl+L", self._rates.begin),
                ("start_design", "Train the designed model", "Ctrl+Return", self._bar.start),
                ("sweep_design", "Train many runs that differ", "Ctrl+Shift+Return", self._bar.sweep),
                ("save_draft", "Save the config", "Ctrl+S", self._bar.save),
                ("open_draft", "Open a config", "Ctrl+Shift+O", self._bar.open),
            ),
        )
        self._redraw()

    # ── layout ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lay_out(self) -> None:
        """From the outside in: what is in a form is dressed again each time that it comes into something else."""
        column = QVBoxLayout(self, spacing=0)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._bar)
        column.addWidget(self._differences)
        self._splitter = QSplitter(Qt.Orientation.Horizontal, objectName="model_splitter", childrenCollapsible=False)
        column.addWidget(self._splitter, 1)
        forms, picture, costs = QWidget(), QWidget(), QWidget()
        self._lay_out_forms(forms)
        self._lay_out_picture(picture)
        self._lay_out_costs(costs)
        for side in (forms, picture, ColumnArea(costs, "scroll_costs", "Costs")):
            self._splitter.addWidget(side)
        self._splitter.setSizes(self._session.settings.get("model.splitter", [328, 560, 308]))
        for index, share in enumerate((1, 2, 1)):
            self._splitter.setStretchFactor(index, share)

    def _lay_out_forms(self, side: QWidget) -> None:
        side.setMinimumWidth(320)
        column = QVBoxLayout(side, spacing=GRID // 2)
        column.setContentsMargins(GRID, GRID // 2, 0, 0)
        group = QButtonGroup(self)
        switch = QHBoxLayout(spacing=GRID // 2)
        for button in self._tabs.values():
            button.setProperty("kind", "quiet")
            group.addButton(button)
            switch.addWidget(button)
        switch.addStretch(1)
        column.addLayout(switch)
        self._stack = QStackedWidget()
        column.addWidget(self._stack, 1)
        for name, form in self._forms.items():
            holder = QWidget()
            self._stack.addWidget(ColumnArea(holder, f"scroll_{name}"))
            inner = QVBoxLayout(holder, spacing=2 * GRID)
            inner.setContentsMargins(GRID // 2, GRID // 2, GRID, 2 * GRID)
            inner.addWidget(form)
            if name == "model":
                inner.addLayout(self._data_summary())
            inner.addStretch(1)

    def _data_summary(self) -> QHBoxLayout:
        change = QPushButton("Change…", objectName="action_show_data", toolTip="Choose data and tokenizer")
        change.setProperty("kind", "quiet")
        change.clicked.connect(lambda: self._session.show_page("data"))
        self._data.setProperty("role", "muted")
        row = QHBoxLayout(spacing=GRID)
        row.setContentsMargins(2 * GRID + GRID // 2, 0, 0, 0)
        row.addWidget(self._data, 1)
        row.addWidget(change, 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _lay_out_picture(self, side: QWidget) -> None:
        column = QVBoxLayout(side, spacing=0)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._diagram, 1)
        column.addWidget(self._devices)

    def _lay_out_costs(self, holder: QWidget) -> None:
        inner = QVBoxLayout(holder)
        inner.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        inner.addWidget(self._costs)
        inner.addWidget(self._rates)
        inner.addStretch(1)

    # ── wiring ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _wire(self) -> None:
        settings = self._session.settings
        for name, button in self._tabs.items():
            button.clicked.connect(lambda _=False, name=name: self._show_section(name))
        for name, form in self._forms.items():
            form.more.set_folded(settings.get(f"{name}.folded", True))
            form.changed_fold.connect(lambda folded, name=name: settings.set(f"{name}.folded", folded))
        self._splitter.splitterMoved.connect(lambda *_: settings.set("model.splitter", self._splitter.sizes()))
        self._diagram.block_clicked.connect(self._on_block_clicked)
        self._session.field_wanted.connect(self._show_field)
        self._preparation.changed.connect(self._redraw)
        section = settings.get("model.section", "model")
        self._show_section(section if section in SECTIONS else "model")

    def _apply(self, path: str, value: Any) -> None:
        """Set an option; a model to begin from brings its shape and tokenizer along."""
        if path == "training.finetune_from" and value:
            self._session.fine_tune(value, then="")
        else:
            self._session.draft.set(path, value)

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _redraw(self) -> None:
        draft = self._session.draft
        for name, button in self._tabs.items():
            wrong = sum(problem.field.startswith(f"{name}.") for problem in draft.problems)
            button.setText(SECTIONS[name] + (f" ({wrong} to fix)" if wrong else ""))
        config = draft.config
        if config is None:
            return
        vocab_size, known = self._preparation.vocab_size()
        result = self._preparation.result
        self._diagram.set_columns(diagram.columns(config, vocab_size, len(result.labels) if result else None))
        about = "" if known else "about "
        is_file = config.data.source == "file" and config.data.path
        source = Path(config.data.path).name if is_file else SOURCES[config.data.source].title
        self._data.setText(
            f"Learns {TASKS[config.data.task].title.lower()} from “{source}”; tokens: "
            f"{config.tokenizer.kind.replace('_', '-')}, {about}{vocab_size:,} in the vocabulary."
        )

    def _show_section(self, name: str) -> None:
        self._tabs[name].setChecked(True)
        self._stack.setCurrentIndex(list(SECTIONS).index(name))
        self._session.settings.set("model.section", name)

    def _on_block_clicked(self, key: str) -> None:
        self._show_section("model")
        self._forms["model"].reveal(diagram.options_of(key))

    def _show_field(self, path: str) -> None:
        if (section := path.partition(".")[0]) in self._forms:
            self._show_section(section)
            self._forms[section].reveal([path])
