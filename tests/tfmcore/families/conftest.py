"""A small BERT as `transformers` writes it, with a tokenizer: what the tests of this folder damage in many ways."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.tfmcore.families.case import VOCABULARY
from tests.tfmcore.families.cases import CASES

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{n}" for n in range(VOCABULARY - 5))]


def word_tokenizer() -> Tokenizer:
    library = Tokenizer(models.WordLevel({word: id for id, word in enumerate(WORDS)}, unk_token="[UNK]"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    return library


@pytest.fixture(scope="session")
def hf_originals(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The folder of a case with a head, made once; it is not to be changed."""
    made: dict[tuple[str, str], Path] = {}

    def original(name: str, ending: str) -> Path:
        if (name, ending) not in made:
            folder = made[name, ending] = tmp_path_factory.mktemp("hf") / f"{name} été"
            CASES[name].make(ending).save_pretrained(folder)
            word_tokenizer().save(str(folder / "tokenizer.json"))
        return made[name, ending]

    return original


@pytest.fixture
def hf_folder(hf_originals: Callable[[str, str], Path], tmp_path: Path) -> Path:
    """A BERT that fills gaps, to be changed."""
    return Path(shutil.copytree(hf_originals("bert", "ForMaskedLM"), tmp_path / "tiny-bert"))
