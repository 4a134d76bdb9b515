"""Learn from a file as a person does: drop it on the Data page, click Train, wait for the end; then measure the model.

    python -m tests.bench.learn_from_file TRAIN_FILE TEST_FILE [--screenshots FOLDER]

Nothing is chosen but the file: task, columns, tokenizer and model are what the page proposes. Prints one JSON object.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.session import Session
from app.theme import apply_theme
from app.window import MainWindow
from tfmcore.runs import RunState
from tfmcore.workspace import workspace_folder

ROOT = Path(__file__).parents[2]


def driver() -> Any:
    """The module that drives the real window for the screenshots."""
    spec = importlib.util.spec_from_file_location("screenshots", ROOT / "packaging" / "screenshots.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def drop(page: QWidget, file: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file.resolve()))])
    place, button = QPointF(page.rect().center()), Qt.MouseButton.LeftButton
    page.dropEvent(QDropEvent(place, Qt.DropAction.CopyAction, mime, button, Qt.KeyboardModifier.NoModifier))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--screenshots", type=Path, default=Path("test-output/learn-from-file"))
    args = parser.parse_args()
    args.screenshots.mkdir(parents=True, exist_ok=True)
    module = driver()
    with module.display(), tempfile.TemporaryDirectory() as folder:
        app = QApplication([])
        session = Session(workspace_folder(Path(folder) / "Transformer Playground"))
        apply_theme(app, "light")
        window = MainWindow(session)
        window.show()
        journey = module.Journey(window, session, args.screenshots, [(1280, 800), (1920, 1080)])
        journey.show("data")
        drop(journey.find(QWidget, "page_data"), args.train)
        journey.wait(lambda: session.draft.value("data.source") == "file", "the file is taken", 10)
        QTest.qWait(3000)  # the preview chooses task and columns
        journey.photograph("data")
        journey.click("action_train_data")
        begin = time.monotonic()
        facts = journey.wait(lambda: next((f for f in session.runs.facts if f.state.alive), None), "it trains", 120)
        journey.wait(lambda: not journey.run(facts.id).state.alive, "the run ends", 3000)
        QTest.qWait(600)
        journey.photograph("train")
        ended = journey.run(facts.id)
        assert ended.state is RunState.FINISHED, ended.exit
        command = [
            sys.executable,
            "-m",
            "tfmcore",
            "evaluate",
            str(ended.run.folder),
            "--data",
            str(args.test),
            "--json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = round(time.monotonic() - begin)
        window.close()
    print(json.dumps({"config": session.draft.raw["data"], "seconds": seconds, "test": json.loads(done.stdout)}))


if __name__ == "__main__":
    main()
