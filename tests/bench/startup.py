"""Window to its first painted frame, and a run in the terminal to its first step and to its end, against
`import torch`, alternating: python -m tests.bench.startup [ROUNDS]."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

FIRST_FRAME = """
import sys
from pathlib import Path
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication
from app.main import MainWindow, Session, apply_theme

class FirstPaint(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            QTimer.singleShot(0, app.quit)
        return False

app = QApplication([])
session = Session(Path(sys.argv[1]))
apply_theme(app, "dark")
window = MainWindow(session)
filter = FirstPaint()
window.centralWidget().installEventFilter(filter)
window.show()
app.exec()
heavy = [name for name in ("torch", "tokenizers", "pyqtgraph") if name in sys.modules]
assert not heavy, heavy
sys.stdout.flush()
import os; os._exit(0)
"""


ENVIRONMENT = {"QT_QPA_PLATFORM": "offscreen", **os.environ}
RUN = ["-m", "tfmcore", "train", "nano-decoder", "--set", "training.steps=1", "--set", "training.sample_every=0"]


def of_code(code: str, *arguments: str) -> float:
    """Wall time of a fresh interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=ENVIRONMENT)
    return time.perf_counter() - start


def of_run(workspace: str) -> tuple[float, float]:
    """Wall time of a run until it tells its first step, and until its process is gone."""
    start, first = time.perf_counter(), 0.0
    command = [sys.executable, *RUN, "--workspace", workspace]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("step 1/1 "):
                first = time.perf_counter() - start
    assert first
    return first, time.perf_counter() - start


def main(rounds: int = 7) -> None:
    found: dict[str, list[float]] = {
        name: [] for name in ("import torch", "window to first frame", "run to first step", "run of one step")
    }
    with tempfile.TemporaryDirectory() as workspace:
        for round_ in range(-1, rounds):  # the first one prepares the data, and is not counted
            seconds = of_code("import torch"), of_code(FIRST_FRAME, workspace), *of_run(workspace)
            if round_ >= 0:
                for name, each in zip(found, seconds, strict=True):
                    found[name].append(each)
    torch = found["import torch"]
    for name, seconds_ in found.items():
        ratios = [a / b for a, b in zip(seconds_, torch, strict=True)]
        spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:<22} {statistics.median(seconds_):5.2f} s  {statistics.median(ratios):.2f} × {spread}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
