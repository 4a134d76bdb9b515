"""The promises between the packages: who may import whom, and that only those who compute load torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "tokenizers", "safetensors"}
EVERY_MODULE_OF_APP = """
import importlib, pkgutil, app
for module in pkgutil.walk_packages(app.__path__, "app."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def loaded_by(code: str) -> set[str]:
    """Import something in a fresh Python and return the top-level packages that came with it."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    child = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    return set(child.stdout.splitlines()[-1].split())


def test_imports_point_the_way_the_contracts_say():
    command = [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"]
    linted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("module", ["tfmcore", "tfmcore.config", "tfmcore.messages", "tfmcore.runs"])
def test_light_modules_load_nothing_heavy(module):
    assert not loaded_by(f"import {module}") & (HEAVY | {"PySide6"})


def test_no_module_of_the_window_loads_torch():
    loaded = loaded_by(EVERY_MODULE_OF_APP)
    assert "PySide6" in loaded
    assert not loaded & HEAVY
