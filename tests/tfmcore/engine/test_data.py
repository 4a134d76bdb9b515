"""What the engine tells of data before it is learned from, and of a step's cost."""

import subprocess
import sys

import pytest

from tfmcore.config import SOURCES, TASKS, find_preset
from tfmcore.config.tasks import LABEL_TASKS
from tfmcore.messages import BatchTried, DataPrepared, FindRate, PrepareData, RateFound, Refused, TryBatch


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
    assert bool(reply.labels) == (task in LABEL_TASKS)
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


@pytest.mark.parametrize("task", ["translation", "masked_language_modeling"])
def test_texts_that_share_a_row_are_shown_one_by_one(engine, task):
    source = "copy" if task == "translation" else "python_manual"
    data = {"task": task, "source": source, "max_examples": 200, "packing": True}
    model = {"architecture": TASKS[task].architectures[0], "context_length": 64}
    shown = engine.answer(PrepareData, config={"data": data, "model": model}, sample="")[0].batch
    if task == "translation":  # a text, and the same again
        assert [each.name for each in shown[:4]] == ["1.1, encoder", "1.1, decoder", "1.2, encoder", "1.2, decoder"]
        for read, written in zip(shown[::2], shown[1::2], strict=True):
            assert read.tokens == [*written.tokens[1:], "[EOS]"] == written.targets
    else:  # long documents, of which few end in a window
        assert {each.name.partition(".")[0] for each in shown} == {str(n + 1) for n in range(16)}
        assert all(each.masked for each in shown if each.targets and "." not in each.name)


def test_whether_a_second_text_follows_is_told_of_the_first_batch(engine):
    data = {"task": "masked_language_modeling", "next_sentence_prediction": True}
    model = {"architecture": "encoder", "next_sentence_head": True}
    reply, _ = engine.answer(PrepareData, config={"data": data, "model": model}, sample="")
    assert {shown.label for shown in reply.batch} == {"follows", "does not follow"}


def test_a_step_is_measured(engine):
    reply, _ = engine.answer(TryBatch, config=config_of("nano-decoder"), vocab_size=50, steps=1)
    assert isinstance(reply, BatchTried)
    assert reply.seconds > 0
    assert reply.bytes > 4 * reply.parameters


def test_a_rate_is_found(engine):
    reply, _ = engine.answer(FindRate, config=config_of("nano-decoder"), steps=20)
    assert isinstance(reply, RateFound), reply
    assert len(reply.rates) == len(reply.losses) <= 20
    assert reply.rates[0] < reply.suggestion < reply.rates[-1]


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
