"""An imported model is measured on a file, by the task of its head, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tfmcore.families.cases import CASES
from tfmcore.cli.main import main
from tfmcore.config import SavedModel
from tfmcore.families.importing import import_model

Original = Callable[[str, str], Path]
FILES = {
    "ForSequenceClassification": ("texts.tsv", "text\tlabel\nword1 word2\tgood\nword3\tbad\nword4 word1\tso so\n"),
    "ForTokenClassification": ("words.conll", "word1\tgood\nword2\tbad\n\nword3\tgood\n"),
    "ForQuestionAnswering": ("asked.jsonl", '{"question": "word1", "context": "word2 word3", "answer": "word3"}\n'),
    "ForMaskedLM": ("text.txt", "word1 word2 word3 word4\n" * 40),
    "ForCausalLM": ("text.txt", "word1 word2 word3 word4\n" * 40),
}
ENDINGS = [(name, ending) for name in ("bert", "llama") for ending in CASES[name].classes if ending in FILES]


@pytest.mark.parametrize(("name", "ending"), ENDINGS)
def test_on_a_file(
    name: str, ending: str, hf_originals: Original, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, text = FILES[ending]
    (tmp_path / file).write_text(text)
    task = import_model(hf_originals(name, ending), tmp_path / "model").saved.task
    assert SavedModel.read(tmp_path / "model").data.task == task
    facts = evaluated(tmp_path / "model", tmp_path / file, capsys)
    assert facts["task"] == task
    assert facts["loss"] > 0


def evaluated(model: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert main(["evaluate", str(model), "--data", str(file), "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def test_on_nothing(hf_originals: Original, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no held-out part of what others trained it on: it takes a file."""
    import_model(hf_originals("bert", "ForSequenceClassification"), tmp_path / "model")
    assert main(["evaluate", str(tmp_path / "model")]) == 2
    error = capsys.readouterr().err
    assert "--data" in error
    assert "Traceback" not in error
