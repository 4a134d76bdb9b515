"""The small functions of the Python face: they read as training does and answer like the model itself."""

import numpy as np
import pytest
import torch

import tfmcore
from tfmcore.config import UserError
from tfmcore.data.tasks import TASKS, Item
from tfmcore.inference.classify import classify
from tfmcore.inference.fill import fill
from tfmcore.inference.generate import generate
from tfmcore.inference.opened import open_model
from tfmcore.inference.pieces import continued
from tfmcore.inference.translate import translate, translate_many

TEXTS = ["The dog", "fox", "", "jumps over the lazy dog. " * 4, "árvíztűrő"]


@pytest.mark.parametrize("kind", ["classifier", "translator"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("pair", ["", "brown fox"])
def test_a_text_is_read_as_it_was_in_training(model_folder, kind, text, pair):
    opened = open_model(model_folder(kind))
    task, tokenizer = TASKS[opened.saved.task], opened.tokenizer
    roles = {"text": text, "pair": pair} if kind == "classifier" else {"source": text, "target": pair}
    ids = {role: np.array(tokenizer.encode(part), np.uint32) for role, part in roles.items() if part or role != "pair"}
    trained, _ = task.collate([Item(ids)], tokenizer, opened.context, np.random.default_rng(0))
    encoded = opened.encode(text, pair if kind == "classifier" else "")
    for name, row in encoded.arguments.items():
        assert row == trained[name][0].tolist()
    if kind == "translator":
        assert opened.encode_target(pair).ids == trained["decoder_input_ids"][0].tolist()
    assert bool(encoded.notice) == (len(text) > 62)


def test_generate_from_python(model_folder, own_folders):
    model, tokenizer = tfmcore.load(model_folder("decoder"))
    text = tfmcore.generate(model, tokenizer, "The", max_new_tokens=15, temperature=0)
    ids = tokenizer.encode("The")
    with torch.inference_mode():
        for _ in range(15):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert text == tokenizer.decode(ids[3:])
    assert tfmcore.generate(model, tokenizer, "", max_new_tokens=3, seed=1) is not None


def test_each_says_what_a_model_cannot_do(model_folder):
    decoder, masked = open_model(model_folder("decoder")), open_model(model_folder("masked"))
    for verb, opened in ((classify, decoder), (fill, decoder), (translate, masked), (classify, masked)):
        with pytest.raises(UserError, match=f"cannot {verb.__name__}: it learned to"):
            verb(opened, "The dog")
    with pytest.raises(UserError, match="does not write on"):
        generate(masked.model, masked.tokenizer, "The")


def test_labels_are_those_of_the_logits(model_folder):
    opened = open_model(model_folder("classifier"))
    found = classify(opened, "The dog")
    with torch.inference_mode():
        logits = opened.model(**opened.encode("The dog").inputs(opened.device)).logits[0]
    assert found.labels[0] == opened.saved.labels[int(logits.argmax())]
    assert found.probabilities[0] == pytest.approx(float(logits.softmax(-1).max()))


def test_many_translations_are_those_of_each(model_folder):
    opened = open_model(model_folder("translator"))
    found = translate_many(opened, TEXTS, max_new_tokens=20, batch_size=2)
    assert found == [translate(opened, text, max_new_tokens=20).hypotheses[0].text for text in TEXTS]
    assert translate_many(opened, []) == []


def test_the_likeliest_candidates_are_put_in(model_folder):
    opened = open_model(model_folder("masked"))
    found = fill(opened, "The [MASK]og", 4)
    [gap] = found.gaps
    assert gap.position == 5
    assert len(gap.candidates) == 4
    best = gap.candidates[0]
    assert found.text == f"The {'' if best.special else best.text}og"


def test_what_is_added_to_a_text_is_told_apart_from_it(model_folder):
    tokenizer = open_model(model_folder("decoder")).tokenizer
    before, after = tokenizer.encode("The quick brown fox"), tokenizer.encode(" jumps")
    assert continued(tokenizer, before, after) == " jumps"
    assert continued(tokenizer, [], after) == " jumps"
    assert continued(tokenizer, before, []) == ""
