"""Small datasets and tokenizers for the tests of the data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfmcore.config import TASKS, Config, TokenizerConfig
from tfmcore.data import Tokenizer
from tfmcore.data.tokenizer_training import train_tokenizer


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of a name with a text or bytes, in a folder with spaces and letters beyond ASCII."""
    folder = tmp_path / "été 训练 🙂"
    folder.mkdir()

    def write(name: str, content: str | bytes) -> Path:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder / name

    return write


@pytest.fixture
def config() -> Callable[..., Config]:
    """A small config for a source and a task, with the task's architecture; other fields by `section__name`."""

    def make(source: str, task: str, **fields: Any) -> Config:
        architecture = TASKS[task].architectures[0]
        given = {"data__source": source, "data__task": task, "model__architecture": architecture} | fields
        return Config().replaced(**given)

    return make


@pytest.fixture(scope="session")
def letters() -> Tokenizer:
    """A tokenizer of printable ASCII characters."""
    return train_tokenizer(TokenizerConfig(kind="char"), ["".join(map(chr, range(32, 127)))])
