"""A journey through the real window: train three kinds of model by their cards, use them, look inside; screenshots.

    python packaging/screenshots.py FOLDER [--steps N] [--templates …] [--sizes 1280x800 1920x1080] [--readme]

Everything is done by mouse and keyboard on the widgets' object names, with the real trainer and engine, in a workspace
whose path has spaces and letters of all kinds. Without a display it starts Xvfb. Prints one JSON object of what it saw;
the exit code is 1 where something did not come to pass. `--readme` also replaces the two pictures of README.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QPlainTextEdit, QWidget

from app.run_watch import RunFacts
from app.session import Session
from app.theme import apply_theme
from app.window import PAGES, MainWindow
from tfmcore.runs import RunState
from tfmcore.workspace import workspace_folder

Q = TypeVar("Q", bound=QObject)
TEMPLATES = {
    "tell-languages": "Tuesday",
    "translate-phrases": "Tuesday, March 2, 2021",
    "write-manual": "The value of ",
}
THEMES = ("light", "dark")
README = {
    "train.png": "train-translate-phrases-light-1280x800.png",
    "inspect.png": "inspect-translate-phrases-dark-1280x800.png",
}
"""The pictures of README.md in `packaging/screenshots`, and which ones they are."""


class NotSeen(Exception):
    """What should have come to pass and did not."""


class Journey:
    """Drives one window as a person would, and remembers what it saw."""

    def __init__(self, window: MainWindow, session: Session, folder: Path, sizes: list[tuple[int, int]]) -> None:
        self.window, self.session, self.folder, self.sizes = window, session, folder, sizes
        self.seen: dict[str, Any] = {"screenshots": []}

    def find(self, kind: type[Q], name: str) -> Q:
        """The visible widget of that object name, waited for."""

        def visible() -> Q | None:
            found = self.window.findChildren(kind, name)
            return next((child for child in found if not isinstance(child, QWidget) or child.isVisible()), None)

        found: Q = self.wait(visible, f"{name} is shown", 20)
        return found

    def wait(self, condition: Callable[[], Any], what: str, seconds: float) -> Any:
        """The first true value of `condition`; the event loop runs meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := condition():
                return value
            QTest.qWait(20)
        raise NotSeen(f"after {seconds:.0f} s it was not seen that {what}; {self.window.windowTitle()}")

    def run(self, run_id: str) -> RunFacts:
        if not (facts := self.session.runs.find(run_id)):
            raise NotSeen(f"the run {run_id} is no longer in the list")
        return facts

    def click(self, name: str) -> None:
        button = self.find(QAbstractButton, name)
        self.wait(button.isEnabled, f"{name} can be clicked", 20)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def type_into(self, name: str, text: str) -> None:
        field = self.find(QWidget, name)
        field.setFocus()
        assert isinstance(field, QLineEdit | QPlainTextEdit)
        field.selectAll()
        QTest.keyClicks(field, text)
        if isinstance(field, QLineEdit):
            QTest.keyClick(field, Qt.Key.Key_Return)

    def show(self, page: str) -> None:
        self.click(f"rail_{page}")

    def photograph(self, name: str) -> None:
        """The whole window in both themes and all sizes."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        for theme in THEMES:
            apply_theme(app, theme)
            for width, height in self.sizes:
                self.window.resize(width, height)
                QTest.qWait(400)
                path = self.folder / f"{name}-{theme}-{width}x{height}.png"
                if not self.window.grab().save(str(path)):
                    raise NotSeen(f"{path} could not be written")
                self.seen["screenshots"].append(path.name)

    def train(self, template: str, steps: int | None) -> None:
        """Open a card, shorten the run if asked to, train it, and watch it to its end."""
        self.show("home")
        if steps is None:
            self.click(f"action_train_{template}")
        else:
            self.click(f"action_open_{template}")
            self.wait(lambda: self.session.draft.preset == template, "the card's design is open", 10)
            self.session.draft.set_many({"training.steps": steps, "training.warmup_steps": steps // 10})
            self.click("action_start_run")
        known = set(self.seen)
        facts = self.wait(
            lambda: next((f for f in self.session.runs.facts if f.id not in known and f.state.alive), None),
            f"{template} is running",
            60,
        )
        self.seen[facts.id] = template
        begin = time.monotonic()
        self.wait(lambda: self.run(facts.id).step > 5, f"{template} takes steps", 120)
        self.photograph(f"train-{template}-running")
        self.wait(lambda: not self.run(facts.id).state.alive, f"{template} ends", 900)
        ended = self.run(facts.id)
        if ended.state != RunState.FINISHED:
            raise NotSeen(f"{template} ended as {ended.state}: {ended.exit}")
        self.seen[template] = {"seconds": round(time.monotonic() - begin, 1), "step": ended.step}
        QTest.qWait(600)
        self.photograph(f"train-{template}")

    def use(self, template: str, text: str) -> None:
        """Open the run's best checkpoint and ask it."""
        self.show("train")
        self.click("action_use_run")
        self.wait(lambda: self.session.model is not None, "the model is open", 20)
        verb = {"tell-languages": "classify", "translate-phrases": "translate", "write-manual": "generate"}[template]
        self.type_into(self.text_field(verb), text)
        if verb != "classify":
            self.click(f"action_{verb}")
        self.wait(lambda: not self.session.engine.busy, "the model answers", 60)
        QTest.qWait(600)
        self.wait(lambda: not self.session.engine.busy, "the model has answered", 120)
        self.photograph(f"use-{verb}")

    def text_field(self, verb: str) -> str:
        return f"field_{verb}_prompt" if verb == "generate" else f"field_{verb}_text"

    def inspect(self, template: str, text: str) -> None:
        """Look at the attention of the same text."""
        self.show("inspect")
        self.type_into("field_inspect_text", text)
        self.click("action_inspect")
        QTest.qWait(300)
        self.wait(lambda: not self.session.engine.busy, "the attention is captured", 60)
        QTest.qWait(600)
        self.photograph(f"inspect-{template}")

    def walk(self, templates: list[str], steps: int | None) -> None:
        """The whole journey."""
        QTest.qWait(500)
        for page in PAGES:
            self.show(page.name)
            self.photograph(f"{page.name}-empty")
        for template in templates:
            text = TEMPLATES[template]
            self.train(template, steps)
            self.use(template, text)
            self.inspect(template, text)
        for page in PAGES:
            self.show(page.name)
            self.photograph(page.name)
        self.seen["torch_in_window"] = "torch" in sys.modules


@contextmanager
def display() -> Iterator[None]:
    """The display there is, or a virtual one."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform in ("win32", "darwin"):
        yield
        return
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1920x1080x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            os.environ["DISPLAY"] = f":{pipe.readline().strip()}"
        yield
    finally:
        server.terminate()
        server.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, help="train each template only so long")
    parser.add_argument("--templates", nargs="+", choices=TEMPLATES, default=list(TEMPLATES))
    parser.add_argument("--sizes", nargs="+", default=["1280x800", "1920x1080"])
    parser.add_argument("--readme", action="store_true", help="replace the pictures of README.md, too")
    args = parser.parse_args()
    if args.readme and not ("translate-phrases" in args.templates and "1280x800" in args.sizes):
        parser.error("--readme needs the template translate-phrases and the size 1280x800")
    args.folder.mkdir(parents=True, exist_ok=True)
    sizes = [(int(width), int(height)) for width, height in (size.split("x") for size in args.sizes)]
    prefix = "playground " if args.readme else "été 训练 🙂 "
    os.environ.pop("QT_QPA_PLATFORM", None)
    with display(), tempfile.TemporaryDirectory(prefix=prefix) as workspace:
        app = QApplication([])
        session = Session(workspace_folder(Path(workspace) / "Transformer Playground"))
        apply_theme(app, "light")
        window = MainWindow(session)
        window.show()
        journey = Journey(window, session, args.folder, sizes)
        code = 0
        try:
            journey.walk(args.templates, args.steps)
        except NotSeen as fault:
            window.grab().save(str(args.folder / "fault.png"))
            journey.seen["fault"], code = str(fault), 1
        finally:
            for facts in session.runs.facts:
                facts.run.kill()
            window.close()
        journey.seen["platform"] = app.platformName()
        journey.seen["workspace"] = str(session.workspace)
    if args.readme and code == 0:
        for name, picture in README.items():
            shutil.copy(args.folder / picture, Path(__file__).parent / "screenshots" / name)
    print(json.dumps(journey.seen))
    return code


if __name__ == "__main__":
    sys.exit(main())
