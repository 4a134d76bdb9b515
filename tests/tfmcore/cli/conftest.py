"""A command line to try, in a workspace of its own whose name is not easy."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tfmcore.cli.main import main


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "été 训练 🙂"
    monkeypatch.setenv("TFM_WORKSPACE", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def tfm(workspace, capsys):
    def tfm(*words) -> Result:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return tfm
