"""A tokenizer.json that makes the library panic or search for hours costs one answer, never the engine."""

import json
import shutil

import pytest

from tests.crafted import BOMB, CRAFTED, ENDLESS, ENDLESS_TEXT, craft
from tfmcore.data import Tokenizer
from tfmcore.messages import Cancel, Cancelled, Describe, Generate, Generated, Refused


def folder_with(model_folder, tmp_path, part):
    folder = tmp_path / "été 训练 🙂"
    shutil.copytree(model_folder("decoder"), folder)
    craft(folder, part)
    return str(folder)


@pytest.mark.fault(33)
@pytest.mark.parametrize("name", CRAFTED)
def test_a_panic_ends_the_request_only(engine, model_folder, tmp_path, name):
    model = folder_with(model_folder, tmp_path, CRAFTED[name])
    for _ in range(2):
        reply, _ = engine.answer(Generate, model=model, prompt=BOMB, max_new_tokens=3)
        assert isinstance(reply, Refused)
        assert "tokenizer" in reply.sentence
        assert "\n" not in reply.sentence
        assert "unexpectedly" not in reply.sentence
    assert b"panicked" in engine.errors
    reply, _ = engine.answer(Generate, model=str(model_folder("decoder")), prompt=BOMB, max_new_tokens=3)
    assert isinstance(reply, Generated)


@pytest.mark.fault(33)
def test_a_search_without_an_end_can_be_cancelled(start_engine, model_folder, tmp_path):
    engine = start_engine("from tfmcore.engine import server; server.PATIENCE_SECONDS = 1.0")
    model = folder_with(model_folder, tmp_path, ENDLESS)
    assert not isinstance(engine.answer(Describe, model=model)[0], Refused)
    endless = engine.ask(Generate, model=model, prompt=ENDLESS_TEXT)
    engine.wait_until_it_computes()
    queued = engine.ask(Describe, model=model)
    engine.send(Cancel(id=queued))  # it listens while the library searches
    assert isinstance(engine.until(queued)[-1][0], Cancelled)
    assert engine.process.poll() is None
    engine.send(Cancel(id=endless))
    reply, _ = engine.until(endless)[-1]
    assert isinstance(reply, Refused)
    assert "the next request starts a new one" in reply.sentence
    assert engine.process.wait(60) == 1


def test_an_absurd_id_is_no_size_of_a_vocabulary(engine, model_folder, tmp_path):
    model = folder_with(model_folder, tmp_path, {})
    path = tmp_path / "été 训练 🙂" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"]["é"] = 2**32 - 2
    path.write_text(json.dumps(tokenizer))
    reply, _ = engine.answer(Generate, model=model, prompt="a")
    assert isinstance(reply, Refused)
    assert "4294967294" in reply.sentence


def test_a_single_text_is_read_as_many_are(model_folder):
    tokenizer = Tokenizer.load(model_folder("decoder") / "tokenizer.json")
    for text in ("", "The quick", "[MASK]é", "a\nb"):
        assert tokenizer.encode(text) == tokenizer.library.encode(text, add_special_tokens=False).ids
        assert tokenizer.offsets(text) == tokenizer.library.encode(text, add_special_tokens=False).offsets
