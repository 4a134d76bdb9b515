"""Starts the window: `tfm-playground`, or `python -m app`."""

import argparse
import gc
import hashlib
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QTimer
from PySide6.QtGui import QIcon
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from PySide6.QtWidgets import QApplication, QMessageBox

from app.session import Session
from app.settings import Settings
from app.style_sheet import ICONS
from app.theme import THEME_CHOICES, apply_theme
from app.window import MainWindow
from app.zoom import REOPEN, apply_zoom, reopen, zoom
from tfmcore.config import UserError
from tfmcore.workspace import cache_folder, workspace_folder

DESKTOP_NAME = "transformer-playground"
"""What the desktop file and the icon are called."""
COLLECT_EVERY_MS = 10_000
SWITCH_SECONDS = 0.001
"""How long a thread that reads runs may keep the interpreter while the window waits for it (Python's own: 0.005)."""


def main(arguments: list[str] | None = None) -> int:
    """Open the window on a workspace; a second one on the same workspace raises the first instead."""
    parser = argparse.ArgumentParser(prog="tfm-playground", description="Build, train and inspect transformers.")
    parser.add_argument("--workspace", type=Path, help="folder of the runs, models and settings")
    parser.add_argument("--theme", choices=THEME_CHOICES, help="instead of the remembered one")
    args = parser.parse_args(arguments)
    try:
        workspace = workspace_folder(args.workspace)
        cache_folder()
    except UserError as error:
        say_why_not(str(error))
        return 2
    settings = Settings(workspace / "settings.toml")
    size = zoom(settings)
    apply_zoom(size)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("Transformer Playground")
    app.setDesktopFileName(DESKTOP_NAME)
    app.setWindowIcon(QIcon(str(ICONS / f"{DESKTOP_NAME}.svg")))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: QTimer.singleShot(0, app.quit))
    name = server_name(workspace)
    if raise_other(name):
        print(f"Transformer Playground is already open on {workspace}; its window was raised.")
        return 0
    session = Session(workspace, settings)
    apply_theme(app, args.theme or session.settings.choice("window.theme", THEME_CHOICES))
    window = MainWindow(session)
    install_hook(session)
    listen(name, window)
    app.aboutToQuit.connect(session.close)
    sys.setswitchinterval(SWITCH_SECONDS)
    collect_here(window)
    window.show()
    code = app.exec()
    if code == REOPEN:
        reopen(size)
    return code


def say_why_not(sentence: str) -> None:
    """Say why no window opens where it is seen: a program that a menu has started has no terminal."""
    print(sentence, file=sys.stderr)
    if sys.stderr is None or not sys.stderr.isatty():
        app = QApplication.instance() or QApplication(sys.argv[:1])
        app.setApplicationName("Transformer Playground")
        QMessageBox.critical(None, "", sentence)


def collect_here(window: MainWindow) -> None:
    """Collect garbage in this thread only: in another one, widgets in reference cycles would be destroyed there."""
    gc.disable()
    gc.freeze()  # what is there by now stays: to look through it again and again would make the window stutter
    timer = QTimer(window, interval=COLLECT_EVERY_MS)
    timer.timeout.connect(gc.collect)
    timer.start()


def server_name(workspace: Path) -> str:
    """The name under which the window of this workspace listens."""
    return f"tfm-{hashlib.sha256(os.fsencode(workspace.resolve())).hexdigest()[:16]}"


def raise_other(name: str) -> bool:
    """Ask a window that is open on the same workspace to come to the front; False where there is none."""
    socket = QLocalSocket()
    socket.connectToServer(name)
    if not socket.waitForConnected(200):
        return False
    socket.disconnectFromServer()
    return True


def listen(name: str, window: MainWindow) -> QLocalServer:
    """Come to the front whenever another window is started on this workspace (a named pipe, no port)."""
    QLocalServer.removeServer(name)
    server = QLocalServer(window)
    server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)

    def on_connection() -> None:
        server.nextPendingConnection().deleteLater()
        window.come_to_front()

    server.newConnection.connect(on_connection)
    server.listen(name)
    return server


def install_hook(session: Session) -> None:
    """An exception in a slot is logged and said; the event loop lives on."""
    logging.basicConfig(filename=cache_folder() / "window.log", encoding="utf-8", level=logging.WARNING)

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        details = "".join(traceback.format_exception(kind, error, trace))
        logging.error(details)
        session.notify("error", f"Something went wrong inside the window: {error or kind.__name__}", details)

    sys.excepthook = hook


if __name__ == "__main__":
    sys.exit(main())
