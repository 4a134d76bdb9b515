"""Window to its first painted frame against `import torch`, alternating: python -m tests.bench.startup [PAIRS]."""

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


def seconds(code: str, *arguments: str) -> float:
    """Wall time of a fresh interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, env={"QT_QPA_PLATFORM": "offscreen", **os.environ}
    )
    return time.perf_counter() - start


def main(pairs: int = 7) -> None:
    with tempfile.TemporaryDirectory() as workspace:
        seconds(FIRST_FRAME, workspace), seconds("import torch")
        window, torch = zip(
            *((seconds(FIRST_FRAME, workspace), seconds("import torch")) for _ in range(pairs)), strict=True
        )
    ratios = [a / b for a, b in zip(window, torch, strict=True)]
    print(f"window to first frame {statistics.median(window):.2f} s, import torch {statistics.median(torch):.2f} s")
    print(f"median ratio {statistics.median(ratios):.2f} (spread {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
