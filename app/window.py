"""The one window: a rail of pages, a header with the open model and what is running, the pages, a line of status."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.actions import keys_words, make_action, named_keys
from app.header import Header
from app.help import HelpDialog
from app.model_actions import ModelActions
from app.panels.exchange_bar import ExchangeBar
from app.session import Session
from app.theme import GRID, apply_theme, icon, theme
from app.widgets.error_bar import ErrorBar
from app.zoom import REOPEN, step_from, zoom


@dataclass(frozen=True)
class PageFacts:
    """A page of the rail; its class is `<Name>Page` in `app/pages/<name>.py`, loaded when it is first shown."""

    name: str
    title: str
    icon: str

    def build(self, session: Session) -> QWidget:
        page_class = getattr(import_module(f"app.pages.{self.name}"), f"{self.name.title()}Page")
        page: QWidget = page_class(session)
        return page


PAGES = (
    PageFacts("home", "Home", "home-outline"),
    PageFacts("data", "Data", "database-outline"),
    PageFacts("model", "Model", "layers-outline"),
    PageFacts("train", "Train", "chart-line"),
    PageFacts("use", "Use", "message-text-outline"),
    PageFacts("inspect", "Inspect", "magnify"),
    PageFacts("compare", "Compare", "scale-balance"),
)
SECTION_PAGES = {"data": "data", "tokenizer": "data", "model": "model", "training": "model"}
THEMES = ("system", "light", "dark")
FIRST_SIZE, SMALLEST, TITLE_BAR = QSize(1280, 800), QSize(960, 600), 32
"""How large the window is at first and at least, where the screen has room for it and its title."""


class PageArea(QScrollArea):
    """Shows its widget as large as there is room for, and scrolls where that is less than its least size. (Qt's own
    resizing would make it as high as its wrapped texts would like it best.)"""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if content := self.widget():
            content.resize(self.viewport().size().expandedTo(content.minimumSize()))


class MainWindow(QMainWindow):
    """Holds the pages; every act is the session's."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="window", windowTitle="Transformer Playground", acceptDrops=True)
        self._session = session
        self._zoom = zoom(session.settings)
        self._pages: dict[str, QWidget] = {}
        self._rail_buttons: dict[str, QToolButton] = {}
        self._lay_out()
        self._add_actions()
        self._wire()
        self._restore()

    # ── layout ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lay_out(self) -> None:
        self._stack = QStackedWidget(objectName="pages")
        self._errors, self._offers = ErrorBar(objectName="notice"), ErrorBar(objectName="offer")
        self._models = ModelActions(self._session, self, shortcuts=True)
        self.addActions([action for action in self._models.all if not action.isSeparator()])
        self._header = Header(self._session, self._models)
        content = QWidget()
        column = QVBoxLayout(content, spacing=0)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._header)
        column.addWidget(ExchangeBar(self._session))
        column.addWidget(self._errors)
        column.addWidget(self._offers)
        column.addWidget(self._stack, 1)
        content.setMinimumSize(SMALLEST - QSize(10 * GRID + 1, 3 * GRID))  # beside the rail and above the status
        area = PageArea(objectName="scroll_pages", focusPolicy=Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        centre = QWidget()
        row = QHBoxLayout(centre, spacing=0)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._rail())
        row.addWidget(area, 1)
        self.setCentralWidget(centre)
        self._status = QLabel(objectName="status_text")
        self.statusBar().addWidget(self._status, 1)
        self.statusBar().addPermanentWidget(QLabel(str(self._session.workspace), objectName="status_workspace"))
        self.statusBar().setSizeGripEnabled(False)
        self.setMinimumSize(SMALLEST.boundedTo(self._room))
        self._drop_hint = QLabel("Drop to open this model", self, objectName="model_drop_hint")
        self._drop_hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._drop_hint.setProperty("role", "drop")
        self._drop_hint.hide()

    def _rail(self) -> QWidget:
        rail = QWidget(objectName="rail")
        rail.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(rail, spacing=GRID // 2)
        column.setContentsMargins(0, GRID, 1, GRID)
        for number, page in enumerate(PAGES, 1):
            button = QToolButton(
                objectName=f"rail_{page.name}",
                text=page.title,
                icon=icon(page.icon),
                checkable=True,
                toolTip=named_keys(f"{page.title}  (Ctrl+{number})"),
                toolButtonStyle=Qt.ToolButtonStyle.ToolButtonTextUnderIcon,
                focusPolicy=Qt.FocusPolicy.TabFocus,  # a click leaves the keys to the page
            )
            button.setFixedSize(10 * GRID, 7 * GRID)
            button.setIconSize(QSize(22, 22))
            button.clicked.connect(lambda _=False, name=page.name: self.show_page(name))
            self._rail_buttons[page.name] = button
            column.addWidget(button)
        column.addStretch(1)
        self._theme_button = self._rail_tool("action_theme", "theme-light-dark", "Light, dark or as the system")
        self._help_button = self._rail_tool(
            "action_help", "help-circle-outline", "Help on this page, and its keys  (F1, ?)"
        )
        column.addWidget(self._theme_button)
        column.addWidget(self._help_button)
        return rail

    def _rail_tool(self, name: str, glyph: str, tip: str) -> QToolButton:
        button = QToolButton(objectName=name, icon=icon(glyph, "muted"), toolTip=tip, accessibleName=tip)
        button.setFixedSize(10 * GRID, 4 * GRID)
        button.setIconSize(QSize(18, 18))
        return button

    @property
    def _room(self) -> QSize:
        """What the screen has beside the window's title."""
        return self.screen().availableSize() - QSize(0, TITLE_BAR)

    # ── wiring ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _add_actions(self) -> None:
        draft = self._session.draft
        acts: list[tuple[str, str, Callable[[], object], *tuple[str, ...]]] = [
            (f"show_{page.name}", f"Show {page.title}", lambda name=page.name: self.show_page(name), f"Ctrl+{number}")
            for number, page in enumerate(PAGES, 1)
        ]
        acts += [
            ("undo", "Undo a change of the config, or a deletion", self._session.undo, "Ctrl+Z"),
            ("redo", "Redo it", draft.redo, "Ctrl+Shift+Z", "Ctrl+Y"),
            ("train", "Train the designed model", self._session.start_run, "Ctrl+Return"),
            ("next_theme", "Light, dark or as the system", self.next_theme, "Ctrl+Shift+L"),
            ("larger", "Larger text and controls", lambda: self.change_zoom(1), "Ctrl++", "Ctrl+="),
            ("smaller", "Smaller text and controls", lambda: self.change_zoom(-1), "Ctrl+-"),
            ("first_zoom", "Text and controls as large as at first", lambda: self.change_zoom(0), "Ctrl+0"),
            ("show_help", "Help on this page, and its keys", self.show_help, "F1", "?"),
            ("quit", "Quit; runs continue", self.close, "Ctrl+Q"),
        ]
        for name, text, act, *keys in acts:
            self.addAction(make_action(self, name, text, act, *keys, repeats=name in ("undo", "redo")))

    def _wire(self) -> None:
        session = self._session
        session.page_wanted.connect(self.show_page)
        session.field_wanted.connect(self._show_field)
        session.notified.connect(self._errors.show_message)
        session.offered.connect(self._offers.offer)  # which no message takes away
        for bar in (self._errors, self._offers):
            for told in (session.succeeded, session.runs.changed, session.draft.changed):
                told.connect(bar.look_again)
        session.engine.busy_changed.connect(self._show_status)
        session.data_engine.busy_changed.connect(self._show_status)
        self._theme_button.clicked.connect(self.next_theme)
        self._help_button.clicked.connect(self.show_help)

    def _restore(self) -> None:
        settings = self._session.settings
        self.resize(FIRST_SIZE.boundedTo(self._room))
        if geometry := settings.get("window.geometry", ""):
            self.restoreGeometry(QByteArray.fromBase64(geometry.encode()))
        self.show_page(settings.choice("window.page", list(self._rail_buttons)))
        if settings.notice:
            self._session.notify("warning", settings.notice)

    # ── acts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def show_page(self, name: str) -> None:
        """Show a page of the rail; it is built the first time."""
        if name not in self._pages:
            facts = next(page for page in PAGES if page.name == name)
            self._pages[name] = facts.build(self._session)
            self._stack.addWidget(self._pages[name])
        page = self._pages[name]
        self._stack.setCurrentWidget(page)
        if not (focus := QApplication.focusWidget()) or not page.isAncestorOf(focus):
            page.setFocus(Qt.FocusReason.OtherFocusReason)  # where its keys are heard
        for facts in PAGES:
            button = self._rail_buttons[facts.name]
            button.setChecked(facts.name == name)
            button.setIcon(icon(facts.icon, "accent" if facts.name == name else "muted"))
        self._session.settings.set("window.page", name)

    def _show_field(self, path: str) -> None:
        self.show_page(SECTION_PAGES[path.split(".")[0]])
        if field := self.findChild(QWidget, f"field_{path.replace('.', '_')}"):
            field.setFocus(Qt.FocusReason.OtherFocusReason)

    def next_theme(self) -> None:
        settings, app = self._session.settings, QApplication.instance()
        choice = THEMES[(THEMES.index(settings.choice("window.theme", THEMES)) + 1) % len(THEMES)]
        settings.set("window.theme", choice)
        if isinstance(app, QApplication):
            apply_theme(app, choice)
        self._status.setText(f"Theme: {choice if choice != 'system' else 'as the system'}")

    def change_zoom(self, direction: int) -> None:
        """Remember a larger or a smaller zoom, or with 0 the first one, and offer a window that has it."""
        session = self._session
        percent = step_from(zoom(session.settings), direction) if direction else 100
        session.settings.set("window.zoom", percent)
        session.succeed("zoom")  # what was offered before
        if percent != self._zoom:
            words = f"Text and controls will be at {percent} % when the window is opened again. Runs continue."
            session.offer(words, "Reopen now", self.reopen, session.until("zoom"))
        else:
            self._status.setText(f"Text and controls are at {percent} %")

    def reopen(self) -> None:
        """Close the window, and open it as it was with the zoom that is remembered."""
        if isinstance(app := QApplication.instance(), QApplication):
            app.setQuitOnLastWindowClosed(False)
            self.close()
            app.exit(REOPEN)

    def show_help(self) -> None:
        """The current page explained, and every shortcut that works now."""
        facts = next(facts for facts in PAGES if self._pages.get(facts.name) is self._stack.currentWidget())
        page: Any = self._pages[facts.name]
        acts = [action for action in (*self.actions(), *page.actions()) if action.shortcuts()]
        shortcuts = {keys_words(action): action.text() for action in acts}  # a page's come before the window's
        HelpDialog(facts.title, named_keys(page.help), list(shortcuts.items()), self).open()

    def _show_status(self) -> None:
        working = [
            word
            for engine, word in ((self._session.engine, "model"), (self._session.data_engine, "data"))
            if engine.busy
        ]
        self._status.setText(f"The {' and '.join(working)} engine is working …" if working else "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape, where nothing else has a use for it, dismisses the message; what can be undone stays."""
        if event.key() == Qt.Key.Key_Escape and self._errors.isVisible():
            self._errors.dismiss()
        else:
            super().keyPressEvent(event)

    # ── a folder that is dropped ─────────────────────────────────────────────────────────────────────────────────────

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if (content := self.centralWidget()) and dropped_folder(event):
            self._drop_hint.setGeometry(content.geometry().adjusted(GRID, GRID, -GRID, -GRID))
            self._drop_hint.setStyleSheet(f"background: {theme().raised};")
            self._drop_hint.raise_()
            self._drop_hint.show()
            event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._drop_hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self._drop_hint.hide()
        if folder := dropped_folder(event):
            self._session.open_folder(folder)

    def come_to_front(self) -> None:
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.raise_()
        self.activateWindow()

    def closeEvent(self, event: QCloseEvent) -> None:
        geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        self._session.settings.set("window.geometry", geometry)
        self._session.close()
        super().closeEvent(event)


def dropped_folder(event: QDropEvent) -> str:
    """The one folder that is dragged, or nothing."""
    paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
    return paths[0] if len(paths) == 1 and Path(paths[0]).is_dir() else ""
