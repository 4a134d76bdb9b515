"""Every kind of request, answered by an engine in a process of its own."""

import json
import os
import shutil
from typing import get_args

import numpy as np
import pytest

from tests.tfmcore.gpu import WRITES_IN
from tfmcore.engine.handlers import MODULES, find_handler
from tfmcore.messages import (
    Answer,
    AnyRequest,
    Cancel,
    Classified,
    Classify,
    Describe,
    Described,
    Fill,
    Filled,
    Generate,
    Generated,
    Refused,
    Tag,
    Token,
    Translate,
    Translated,
)

VERBS = {
    Generate: {"prompt": "The"},
    Classify: {"text": "The dog"},
    Fill: {"text": "The [MASK]og"},
    Translate: {"text": "The dog"},
    Tag: {"text": "The dog"},
    Answer: {"question": "fox?", "context": "The dog"},
}
DOES = {
    "decoder": Generate,
    "classifier": Classify,
    "masked": Fill,
    "translator": Translate,
    "tagger": Tag,
    "reader": Answer,
}


def test_every_request_has_a_handler():
    kinds = {request.model_fields["kind"].default for request in get_args(get_args(AnyRequest)[0]) if request != Cancel}
    assert kinds == set(MODULES)
    for kind in kinds:
        assert callable(find_handler(kind))


@pytest.mark.parametrize("kind", DOES)
def test_a_model_is_described(engine, model_folder, kind):
    folder = model_folder(kind)
    reply, _ = engine.answer(Describe, model=str(folder))
    assert isinstance(reply, Described)
    assert reply.folder == str(folder)
    assert reply.saved == json.loads((folder / "config.json").read_text())
    assert reply.parameters > 10_000


@pytest.mark.parametrize("kind", ["decoder", "translator"])
def test_writing_in_a_precision_says_what_it_does_to_the_logits(engine, model_folder, kind):
    fields = {"model": str(model_folder(kind)), "max_new_tokens": 3, **VERBS[DOES[kind]]}
    said = {each: engine.answer(DOES[kind], **fields, precision=each)[0].notice for each in ("fp32", *WRITES_IN)}
    assert said["fp32"] == ""
    for precision in WRITES_IN:
        assert f"In {precision} the logits differ from fp32's" in said[precision]


@pytest.mark.parametrize("kind", DOES)
def test_a_model_does_what_it_learned_and_says_so_when_asked_for_more(engine, model_folder, kind):
    for request, fields in VERBS.items():
        reply, _ = engine.answer(request, model=str(model_folder(kind)), **fields)
        if request is DOES[kind]:
            assert not isinstance(reply, Refused), reply
        else:
            assert isinstance(reply, Refused)
            assert f"it learned to {DOES[kind].model_fields['kind'].default}" in reply.sentence


def test_generation_obeys_its_settings(engine, model_folder):
    model = str(model_folder("decoder"))

    def text(**fields):
        return engine.answer(Generate, model=model, prompt="The", max_new_tokens=20, **fields)[0].text

    assert text(temperature=0) == text(temperature=0) == text(top_k=1) == text(beams=1, temperature=0)
    assert text(seed=1) == text(seed=1) != text(seed=2)
    greedy = text(temperature=0)
    stop = greedy[5:7]
    stopped = engine.answer(Generate, model=model, prompt="The", max_new_tokens=20, temperature=0, stop=[stop])[0]
    assert stopped.reason == "stop"
    assert stopped.text == greedy[: greedy.index(stop)]


def test_a_continuation_goes_on_from_the_tokens_given(engine, model_folder):
    model = str(model_folder("decoder"))
    fields = {"model": model, "prompt": "The", "temperature": 0}
    *tokens, (whole, _) = engine.until(engine.ask(Generate, max_new_tokens=10, **fields))
    ids = [token.token.id for token, _ in tokens]
    rest, _ = engine.answer(Generate, max_new_tokens=6, continuation=ids[:4], **fields)
    assert whole.text.endswith(rest.text)
    assert len(rest.prompt_tokens) == 7


def test_beams_stream_their_best_hypothesis(engine, model_folder):
    request = engine.ask(Generate, model=str(model_folder("decoder")), prompt="The", max_new_tokens=8, beams=4)
    replies = [reply for reply, _ in engine.until(request)]
    tokens = [reply for reply in replies if isinstance(reply, Token)]
    assert isinstance(replies[-1], Generated)
    assert len(tokens) == replies[-1].num_tokens


@pytest.mark.fault(15)
@pytest.mark.parametrize(
    ("length", "new", "notice"),
    [
        (10, 10, ""),
        (100, 3, "The prompt has 100 tokens: the model read the last 64"),
        (60, 10, "is longer than the context of 64"),
    ],
)
def test_what_the_context_does_not_hold_is_said(engine, model_folder, length, new, notice):
    fields = {"prompt": "d" * length, "max_new_tokens": new, "temperature": 0}
    reply, _ = engine.answer(Generate, model=str(model_folder("decoder")), **fields)
    assert reply.num_tokens == new
    assert (notice in reply.notice) if notice else not reply.notice


@pytest.mark.fault(15)
@pytest.mark.parametrize("kind", ["classifier", "masked", "translator"])
def test_a_text_longer_than_the_context_is_cut_in_sight(engine, model_folder, kind):
    request = DOES[kind]
    reply, _ = engine.answer(request, model=str(model_folder(kind)), **{**VERBS[request], "text": "[MASK]" + "d" * 90})
    assert "the model read the first 64" in reply.notice


def test_labels_come_likeliest_first(engine, model_folder):
    reply, _ = engine.answer(Classify, model=str(model_folder("classifier")), text="The dog", pair="fox")
    assert isinstance(reply, Classified)
    assert sorted(reply.labels) == ["English", "Hungarian", "Klingon"]
    assert reply.probabilities == sorted(reply.probabilities, reverse=True)
    assert sum(reply.probabilities) == pytest.approx(1)
    assert reply.tokens == ["[CLS]", *"The dog", "[SEP]", *"fox", "[SEP]"]


@pytest.mark.parametrize("beams", [1, 4])
def test_translations_come_with_scores_and_an_alignment(engine, model_folder, beams):
    reply, arrays = engine.answer(
        Translate, model=str(model_folder("translator")), text="The dog", beams=beams, max_new_tokens=12
    )
    assert isinstance(reply, Translated)
    scores = [hypothesis.score for hypothesis in reply.hypotheses]
    assert len(scores) == beams
    assert scores == sorted(scores, reverse=True)
    assert reply.source_tokens == [*"The dog", "[EOS]"]
    best = reply.hypotheses[0]
    assert len(best.tokens) == len(best.probabilities) <= 12
    assert arrays["alignment"].shape == (len(best.tokens), len(reply.source_tokens))
    np.testing.assert_allclose(arrays["alignment"].sum(1), 1, atol=1e-4)


def test_tags_and_answers_are_those_of_the_text(engine, model_folder):
    text = "The quick brown fox."
    tagged, _ = engine.answer(Tag, model=str(model_folder("tagger")), text=text)
    assert tagged.text == text
    assert tagged.tokens == list(text)
    assert {span.label for span in tagged.spans} <= {"animal"}
    places = [(span.start, span.end) for span in tagged.spans]
    assert places == sorted(places)
    answered, _ = engine.answer(Answer, model=str(model_folder("reader")), question="fox?", context=text, num_answers=3)
    assert [answer.text for answer in answered.answers] == [text[a.start : a.end] for a in answered.answers]
    assert len(answered.answers) == 3
    assert 0 < answered.no_answer < 1
    scores = [answer.score for answer in answered.answers]
    assert scores == sorted(scores, reverse=True)


def test_masks_have_candidates_in_the_order_of_the_text(engine, model_folder):
    reply, _ = engine.answer(Fill, model=str(model_folder("masked")), text="T[MASK]e d[MASK]g", candidates=3)
    assert isinstance(reply, Filled)
    assert reply.tokens == ["[CLS]", "T", "[MASK]", *"e d", "[MASK]", "g", "[SEP]"]
    assert [mask.position for mask in reply.masks] == [2, 6]
    for mask in reply.masks:
        probabilities = [candidate.probability for candidate in mask.candidates]
        assert len(probabilities) == 3
        assert probabilities == sorted(probabilities, reverse=True)
    without, _ = engine.answer(Fill, model=str(model_folder("masked")), text="The dog")
    assert isinstance(without, Refused)
    assert "[MASK]" in without.sentence


def test_a_model_is_opened_anew_when_its_files_change(engine, model_folder, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model_folder("decoder"), folder)
    fields = {"model": str(folder), "prompt": "The", "temperature": 0, "max_new_tokens": 12}
    first = engine.answer(Generate, **fields)[0].text
    other = model_folder("decoder", initialization="xavier")
    (tmp_path / "new").write_bytes(bytearray(reversed((folder / "model.safetensors").read_bytes())))
    reply, _ = engine.answer(Generate, **fields)
    assert reply.text == first
    shutil.copy(other / "config.json", folder)
    os.utime(folder / "config.json")
    assert engine.answer(Describe, model=str(folder))[0].saved["model"]["initialization"] == "xavier"


@pytest.mark.fault(5)
def test_weights_cut_short_while_they_are_open_are_said(engine, model_folder, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model_folder("decoder"), folder)
    running = engine.ask(Generate, model=str(folder), prompt="The", max_new_tokens=400, temperature=0)
    assert isinstance(engine.reply()[0], Token)
    os.truncate(folder / "model.safetensors", 1000)
    assert isinstance(engine.until(running)[-1][0], Generated)  # its weights are in memory, not mapped
    reply, _ = engine.answer(Generate, model=str(folder), prompt="The")
    assert isinstance(reply, Refused)
    assert "truncated" in reply.sentence


@pytest.mark.fault(14)
def test_a_tokenizer_of_another_model_is_said_with_token_and_position(engine, model_folder, tmp_path):
    for kind, request in DOES.items():
        folder = tmp_path / kind
        shutil.copytree(model_folder(kind), folder)
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        tokenizer["model"]["vocab"]["é"] = len(tokenizer["model"]["vocab"]) + 7
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        text = "dé[MASK]"
        fields = dict.fromkeys(VERBS[request], text)
        reply, _ = engine.answer(request, model=str(folder), **fields)
        assert isinstance(reply, Refused)
        assert "'é' at position" in reply.sentence
        assert "tokenizer.json belongs to another model" in reply.sentence


@pytest.mark.fault(33)
@pytest.mark.parametrize(
    "text", ["", "{}", '{"model": null}', "[" * 50_000, '{"version": "1.0", "model": {"type": "WordLevel"']
)
def test_a_foreign_tokenizer_is_refused_and_the_engine_lives(engine, model_folder, tmp_path, text):
    folder = tmp_path / "model"
    shutil.copytree(model_folder("decoder"), folder)
    (folder / "tokenizer.json").write_text(text)
    reply, _ = engine.answer(Generate, model=str(folder), prompt="The")
    assert isinstance(reply, Refused)
    assert "tokenizer.json" in reply.sentence


def test_what_is_no_model_is_refused(engine, tmp_path):
    for name in (tmp_path, tmp_path / "missing", "nonsense\nname", ""):
        reply, _ = engine.answer(Describe, model=str(name))
        assert isinstance(reply, Refused)
        assert reply.sentence
        assert "unexpectedly" not in reply.sentence
