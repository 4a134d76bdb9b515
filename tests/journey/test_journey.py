"""The whole journey in a real window under Xvfb, with the real trainer and engine, as the script walks it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "test-output" / "journey"


@pytest.mark.fault(27)
@pytest.mark.timeout(420)
def test_a_person_trains_uses_and_inspects_all_three_kinds() -> None:
    script = ROOT / "packaging" / "screenshots.py"
    command = [sys.executable, str(script), str(OUTPUT), "--steps", "40", "--sizes", "1280x800"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["platform"] == "xcb"
    assert seen["torch_in_window"] is False
    assert "été 训练 🙂 " in seen["workspace"]
    for template in ("write-manual", "translate-phrases", "tell-languages"):
        assert seen[template]["step"] == 40
    for name in seen["screenshots"]:
        picture = QImage(str(OUTPUT / name))
        assert picture.width() >= 1280, name
        colours = {picture.pixel(x, y) for x in range(0, picture.width(), 7) for y in range(0, picture.height(), 7)}
        assert len(colours) > 20, f"{name} is blank"
