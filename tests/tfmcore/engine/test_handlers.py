"""Every kind of request, answered by an engine in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

from tfmcore.config import SOURCES, TASKS, find_preset
from tfmcore.engine.handlers import MODULES, find_handler
from tfmcore.messages import (
    AnyRequest,
    AttentionViewed,
    BatchTried,
    Cancel,
    Classified,
    Classify,
    DataPrepared,
    Describe,
    Described,
    ExportAttention,
    Exported,
    Fill,
    Filled,
    Generate,
    Generated,
    Inspect,
    Inspected,
    PrepareData,
    Refused,
    Thumbnails,
    ThumbnailsDrawn,
    Token,
    Translate,
    Translated,
    TryBatch,
    ViewAttention,
)

VERBS = {
    Generate: {"prompt": "The"},
    Classify: {"text": "The dog"},
    Fill: {"text": "The [MASK]og"},
    Translate: {"text": "The dog"},
}
DOES = {"decoder": Generate, "classifier": Classify, "masked": Fill, "translator": Translate}
ATTENTION = {
    "decoder": {"decoder"},
    "classifier": {"encoder"},
    "masked": {"encoder"},
    "translator": {"encoder", "decoder", "cross"},
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
        (60, 10, "outgrown the context of 64"),
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


@pytest.mark.parametrize("kind", DOES)
def test_attention_is_inspected_drawn_viewed_and_exported(engine, model_folder, tmp_path, kind):
    pinned = {"model": str(model_folder(kind)), "text": "The dog"}
    facts, _ = engine.answer(Inspect, **pinned)
    assert isinstance(facts, Inspected)
    assert set(facts.attentions) == ATTENTION[kind]
    path = tmp_path / "attention é.npz"
    exported, _ = engine.answer(ExportAttention, path=str(path), **pinned)
    assert isinstance(exported, Exported)
    saved = np.load(path)
    for name, fact in facts.attentions.items():
        drawn, arrays = engine.answer(Thumbnails, attention=name, size=4, **pinned)
        assert isinstance(drawn, ThumbnailsDrawn)
        assert arrays["thumbnails"].shape == (fact.layers, fact.heads, 4, min(4, len(fact.columns)))
        viewed, arrays = engine.answer(ViewAttention, attention=name, layer=1, heads=[3, 0], **pinned)
        assert isinstance(viewed, AttentionViewed)
        assert not viewed.pooled
        np.testing.assert_array_equal(arrays["weights"], saved[name][1, [3, 0]].astype(np.float32))
        part, arrays = engine.answer(ViewAttention, attention=name, layer=0, rows=(1, 3), size=2, **pinned)
        assert part.pooled
        assert arrays["row_edges"].tolist() == [1, 2, 3]
        assert arrays["weights"].shape == (1, 2, 2)
    wrong, _ = engine.answer(ViewAttention, attention=name, layer=9, **pinned)
    assert isinstance(wrong, Refused)


@pytest.mark.fault(34)
def test_4096_tokens_stay_light(engine, model_folder):
    """What the engine keeps is counted to the byte, and what it sends is as large as a screen, whatever the text."""
    pinned = {"model": str(model_folder("decoder", context_length=4096, num_heads=1)), "text": "The dog " * 512}
    facts, nothing = engine.answer(Inspect, **pinned)
    assert not nothing
    assert len(facts.attentions["decoder"].rows) == 4096
    assert facts.bytes == 2 * 4096**2 * 2
    _, small = engine.answer(Thumbnails, attention="decoder", **pinned)
    assert (small["thumbnails"].shape, small["thumbnails"].dtype) == ((2, 1, 32, 32), np.uint8)
    for heads in ([], [0]):
        whole, view = engine.answer(ViewAttention, attention="decoder", layer=1, heads=heads, **pinned)
        assert whole.pooled
        assert (view["weights"].shape, view["weights"].dtype) == ((1, 1024, 1024), np.float32)
        assert len(view["row_edges"]) == len(view["column_edges"]) == 1025
    part = {"attention": "decoder", "layer": 1, "heads": [0]}
    row, line = engine.answer(ViewAttention, **part, rows=(9, 10), size=4096, **pinned)
    assert not row.pooled
    assert line["weights"].shape == (1, 1, 4096)
    assert line["weights"].sum() == pytest.approx(1, abs=0.01)
    assert len(engine.until(engine.ask(Inspect, **pinned))) == 1  # no progress to report: it was kept


def config_of(preset):
    return find_preset(preset).config(["data.max_examples=200", "model.context_length=24"]).raw()


FIRST_SOURCE = {task: next(name for name, facts in SOURCES.items() if task in facts.tasks) for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_data_is_prepared_and_the_first_batch_shown(engine, task):
    data = {"task": task, "source": FIRST_SOURCE[task], "max_examples": 200}
    model = {"architecture": TASKS[task].architectures[0], "context_length": 24}
    reply, _ = engine.answer(PrepareData, config={"data": data, "model": model}, sample="abc")
    assert isinstance(reply, DataPrepared), reply
    assert reply.num_train > reply.num_validation > 0
    assert reply.lengths
    assert len(reply.sample_tokens) == len(reply.sample_ids)
    assert reply.batch
    assert bool(reply.labels) == (task in ("classification", "token_tagging"))
    for shown in reply.batch:
        assert len(shown.tokens) == len(shown.ids) <= 24
        assert not shown.targets or len(shown.targets) == len(shown.tokens)
        assert bool(shown.masked) == (task == "masked_language_modeling")
        assert bool(shown.label) == (task == "classification")
        assert shown.label in ("", *reply.labels)
        for place in shown.masked:
            assert shown.targets[place]
    targets = {target for shown in reply.batch for target in shown.targets if target}
    if task == "language_modeling":  # what is to come is what comes next
        assert all(shown.targets[i] in ("", shown.tokens[i + 1]) for shown in reply.batch for i in range(3))
    if task == "token_tagging":
        assert targets <= set(reply.labels)
    if task == "question_answering":
        assert targets <= {"start", "end", "start, end"}
    if TASKS[task].architectures == ("encoder_decoder",):
        assert [shown.name.split(", ")[1] for shown in reply.batch[:2]] == ["encoder", "decoder"]
        assert "[EOS]" in targets
    assert bool(targets) == (task != "classification")


def test_whether_a_second_text_follows_is_told_of_the_first_batch(engine):
    data = {"task": "masked_language_modeling", "next_sentence_prediction": True}
    reply, _ = engine.answer(PrepareData, config={"data": data, "model": {"architecture": "encoder"}}, sample="")
    assert {shown.label for shown in reply.batch} == {"follows", "does not follow"}


def test_a_step_is_measured(engine):
    reply, _ = engine.answer(TryBatch, config=config_of("nano-decoder"), vocab_size=50, steps=1)
    assert isinstance(reply, BatchTried)
    assert reply.seconds > 0
    assert reply.bytes > 4 * reply.parameters


@pytest.mark.parametrize("source", ["reverse", "python_manual", "cldr_translation", "cldr_language"])
def test_data_is_previewed_without_loading_torch(source):
    code = f"""
import sys
from tfmcore.config import SOURCES, TASKS
from tfmcore.engine import server
from tfmcore.engine.desk import Desk
from tfmcore.engine.handlers import find_handler
from tfmcore.messages import PreviewData
task = SOURCES["{source}"].tasks[0]
architecture = TASKS[task].architectures[0]
config = {{"data": {{"source": "{source}", "task": task}}, "model": {{"architecture": architecture}}}}
[reply] = find_handler("preview_data")(PreviewData(id=1, config=config, rows=7), Desk(), lambda *how_far: None)
assert len(reply.rows) == 7, reply
assert set(reply.roles.values()) <= set(reply.columns), reply
assert not {{"torch", "PySide6"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_wrong_config_is_refused_in_one_sentence(engine):
    raw = config_of("nano-decoder")
    raw["model"]["num_heads"] = 7
    raw["training"]["steps"] = 0
    for request, fields in ((TryBatch, {"vocab_size": 9}), (PrepareData, {})):
        reply, _ = engine.answer(request, config=raw, **fields)
        assert isinstance(reply, Refused)
        assert "\n" not in reply.sentence
        assert "num_heads" in reply.sentence + reply.details


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
    assert "cut short" in reply.sentence


@pytest.mark.fault(14)
def test_a_tokenizer_of_another_model_is_said_with_token_and_position(engine, model_folder, tmp_path):
    for kind, request in DOES.items():
        folder = tmp_path / kind
        shutil.copytree(model_folder(kind), folder)
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        tokenizer["model"]["vocab"]["é"] = len(tokenizer["model"]["vocab"]) + 7
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        text = "dé[MASK]"
        fields = {"prompt" if request is Generate else "text": text}
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
