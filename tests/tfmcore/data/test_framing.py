"""Texts are framed as a foreign tokenizer frames them itself, and as we do where the tokenizer is ours."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from tokenizers import models, pre_tokenizers, processors

from tests.tfmcore.conftest import TEXTS
from tfmcore.config import DataConfig, TokenizerConfig, UserError
from tfmcore.data import TASKS, Example, Tokenizer
from tfmcore.data.foreign_tokenizers import read_tokenizer
from tfmcore.data.tasks import IGNORED, Item, Task
from tfmcore.data.tasks.question_answering import QuestionAnswering
from tfmcore.data.tasks.token_tagging import TokenTagging
from tfmcore.data.tokenizer_training import train_tokenizer

WORDS = {name: id for id, name in enumerate(["<pad>", "<s>", "</s>", "<unk>", *(f"w{n}" for n in range(30))])}
BEGIN, END = ("<s>", 1), ("</s>", 2)
LLAMA = processors.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [BEGIN])
POST_PROCESSORS: dict[str, Any] = {
    "bert": processors.BertProcessing(END, BEGIN),
    "roberta": processors.RobertaProcessing(END, BEGIN),
    "bart": processors.RobertaProcessing(END, BEGIN),
    "t5": processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [END]),
    "llama": processors.Sequence([processors.ByteLevel(), LLAMA]),
    "gpt2": processors.ByteLevel(),
}
TEXT, PAIR = "w1 w2 w3 w4", "w7 w8"


def foreign(folder: Path, kind: str, post_processor: bool = True) -> Tokenizer:
    """A tokenizer of words with the post-processor of a kind of model, or with none and the type of the model only."""
    library = tokenizers.Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if post_processor:
        library.post_processor = POST_PROCESSORS[kind]
    library.save(str(folder / "tokenizer.json"))
    seq2seq = kind in ("bart", "t5")
    config = {"model_type": kind, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    return read_tokenizer(
        folder, config | ({"is_encoder_decoder": True, "decoder_start_token_id": 2} if seq2seq else {})
    )


@pytest.fixture(params=[True, False], ids=["post-processor", "model type"])
def reading(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], tuple[Tokenizer, tokenizers.Tokenizer]]:
    """Our tokenizer of a kind, and the library's that knows the frame."""

    def make(kind: str) -> tuple[Tokenizer, tokenizers.Tokenizer]:
        theirs = tokenizers.Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
        theirs.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        theirs.post_processor = POST_PROCESSORS[kind]
        return foreign(tmp_path, kind, request.param), theirs

    return make


def task(name: str, tokenizer: Tokenizer, **fields: Any) -> Task:
    return TASKS[name](DataConfig(task=name, **fields), tokenizer.framing)


def row(inputs: dict[str, Any], name: str = "input_ids") -> list[int]:
    (found,) = inputs[name].tolist()
    return list(found)


Reading = Callable[[str], tuple[Tokenizer, tokenizers.Tokenizer]]


@pytest.mark.parametrize("kind", ["bert", "roberta", "llama", "gpt2"])
def test_classifiers_read_what_their_tokenizer_says(kind: str, reading: Reading) -> None:
    ours, theirs = reading(kind)
    classify = task("classification", ours)
    assert row(classify.inputs({"text": TEXT}, ours, 99)) == theirs.encode(TEXT).ids
    both, wanted = classify.inputs({"text": TEXT, "pair": PAIR}, ours, 99), theirs.encode(TEXT, PAIR)
    assert row(both) == wanted.ids
    assert row(both, "token_type_ids") == wanted.type_ids
    assert classify.lengths({"text": np.array([4]), "pair": np.array([2])}).tolist() == [len(wanted.ids)]
    short = row(classify.inputs({"text": TEXT, "pair": PAIR}, ours, 8))
    assert short[0] == wanted.ids[0]
    assert len(short) == min(8, len(wanted.ids))
    assert row(task("masked_language_modeling", ours).inputs({"text": TEXT}, ours, 99)) == theirs.encode(TEXT).ids


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("context", [10, 40])
def test_answers_and_words_are_found_within_the_frame(kind: str, context: int, reading: Reading) -> None:
    ours, theirs = reading(kind)
    find, tag = task("question_answering", ours, stride=1), task("token_tagging", ours, stride=1)
    assert isinstance(find, QuestionAnswering)
    assert isinstance(tag, TokenTagging)
    text = " ".join(f"w{n}" for n in range(9, 25))
    windows = find.windows(PAIR, text, ours, context)
    for window in windows:
        read = row(window.inputs)
        assert len(read) <= context
        told = [text[start:end] for start, end in window.offsets]
        assert read == theirs.encode(PAIR, " ".join(told)).ids
        assert read[window.first : window.first + len(told)] == [WORDS[word] for word in told]
    assert (len(windows) > 1) == (context == 10)
    for part in tag.windows(text, ours, context):
        read = row(part.inputs)
        assert len(read) <= context
        assert [read[place] for place in part.places] == [WORDS[text[start:end]] for start, end in part.words]
    example = Example(text=text, labels=" ".join(["x"] * 16))
    (item,) = tag.items([example], ours, {"x": 5})
    batch = tag.collate([item], ours, 40, np.random.default_rng(0))
    assert row(batch.inputs) == theirs.encode(text).ids
    assert batch.labels.tolist() == [[IGNORED, *[5] * 16, IGNORED]]
    asked = {"question": np.array([WORDS["w7"]]), "context": np.array([WORDS["w9"], WORDS["w8"]])}
    answer = Item(asked, marks={"answer": np.array([1, 1])})
    batch = find.collate([answer], ours, 40, np.random.default_rng(0))
    assert row(batch.inputs)[batch.labels[0, 0]] == WORDS["w8"]


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_sources_and_targets(kind: str, reading: Reading) -> None:
    """BART's decoder reads </s> <s> target and writes <s> target </s>; T5's reads a start token of its own."""
    ours, theirs = reading(kind)
    translate = task("translation", ours)
    inputs = translate.inputs({"source": TEXT, "target": PAIR}, ours, 99)
    assert row(inputs) == theirs.encode(TEXT).ids
    assert row(inputs, "decoder_input_ids") == [2, *theirs.encode(PAIR).ids[:-1]]
    (item,) = translate.items([Example(source=TEXT, target=PAIR)], ours, {})
    batch = translate.collate([item], ours, 99, np.random.default_rng(0))
    assert batch.labels.tolist() == [theirs.encode(PAIR).ids]
    assert all(batch.inputs[name].tolist() == inputs[name].tolist() for name in inputs)
    short = row(translate.inputs({"source": TEXT}, ours, 4))
    assert len(short) == 4
    assert (short[0], short[-1]) == (theirs.encode(TEXT).ids[0], 2)
    denoise = task("denoising", ours)
    assert denoise.window(20) == 20 - len(theirs.encode("").ids)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_prompts_begin_as_the_tokenizer_says(kind: str, reading: Reading) -> None:
    ours, theirs = reading(kind)
    write = task("language_modeling", ours)
    assert row(write.inputs({"text": TEXT}, ours, 99)) == theirs.encode(TEXT).ids
    (item,) = write.items([Example(text=f"{PAIR} {TEXT}", prompt=PAIR)], ours, {})
    given = theirs.encode(PAIR).ids
    assert item.ids["text"][: len(given)].tolist() == given
    assert item.number == len(given)
    batch = write.collate([item], ours, 99, np.random.default_rng(0))
    assert (batch.labels[0] != IGNORED).tolist() == [False] * (len(given) - 1) + [True] * 5


def test_a_frame_is_kept_with_the_model(tmp_path: Path) -> None:
    found = foreign(tmp_path, "roberta", post_processor=False)
    (tmp_path / "model").mkdir()
    found.save(tmp_path / "model" / "tokenizer.json")
    assert Tokenizer.load(tmp_path / "model" / "tokenizer.json").framing == found.framing
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"add_bos_token": False}))
    assert foreign(tmp_path, "llama", post_processor=False).framing.prompt == ()


def test_ours_frame_as_ever() -> None:
    ours = train_tokenizer(TokenizerConfig(kind="char"), TEXTS)
    a, b = ours.encode("The"), ours.encode("dog")
    both = task("classification", ours).inputs({"text": "The", "pair": "dog"}, ours, 99)
    assert row(both) == [ours.cls_id, *a, ours.sep_id, *b, ours.sep_id]
    assert row(both, "token_type_ids") == [0] * 5 + [1] * 4
    inputs = task("translation", ours).inputs({"source": "The", "target": "dog"}, ours, 99)
    assert row(inputs) == [*a, ours.eos_id]
    assert row(inputs, "decoder_input_ids") == [ours.bos_id, *b]
    assert row(task("language_modeling", ours).inputs({"text": "The"}, ours, 99)) == a


@pytest.mark.parametrize(("single", "pair"), [("<s>", "$A $B"), ("$A", "$B <s> $A"), ("$A $A", "$A $B")])
def test_a_post_processor_that_loses_texts_is_refused(single: str, pair: str, tmp_path: Path) -> None:
    library = tokenizers.Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    library.post_processor = processors.TemplateProcessing(single, pair, [BEGIN])
    library.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UserError, match="leaves texts out or swaps them"):
        read_tokenizer(tmp_path, {})
