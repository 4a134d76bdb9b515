"""What a model folder says about itself, and every way in which a stranger's may be wrong."""

import json

import pytest

from tfmcore.config import SavedModel, UserError

GOOD = SavedModel(task="classification", vocab_size=100, model={}, labels=["été", "🙂"], metrics={"accuracy": 0.5})


@pytest.fixture
def folder(tmp_path):
    GOOD.write(tmp_path)
    return tmp_path


def test_round_trip(folder):
    assert SavedModel.read(folder) == GOOD


def changed(**fields):
    return json.dumps({**json.loads(GOOD.model_dump_json()), **fields})


BROKEN = {
    "truncated": (changed()[:200], "not valid JSON"),
    "empty": ("", "not valid JSON"),
    "NaN": (changed(step=float("nan")), "NaN is not a number"),
    "infinity": (changed(metrics={"loss": float("inf")}), "Infinity is not a number"),
    "5000 digits": (changed().replace("100", "9" * 5000), "not valid JSON"),
    "deep nesting": ("[" * 100_000, "not valid JSON"),
    "vocabulary of 10^12": (changed(vocab_size=10**12), "vocab_size"),
    "another format": (changed(format="pickle"), "no known `format`"),
    "no object": ("[1, 2]", "no known `format`"),
    "unknown field": (changed(auto_map={"AutoModel": "evil.Model"}), "auto_map"),
    "clash inside": (changed(model={"num_heads": 3}), "model.num_heads"),
    "out of bounds": (changed(model={"num_layers": 10**9}), "num_layers"),
    "larger than a config": ('"' + "x" * 1_000_001, "too large"),
    "not UTF-8": (b"\xff\xfe\xfa", "not valid JSON"),
}


@pytest.mark.fault(11)
@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_broken_description_is_said_in_one_line(folder, text, said):
    (folder / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        SavedModel.read(folder)
    assert said in str(caught.value)
    assert "config.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_folder_without_one(tmp_path):
    with pytest.raises(UserError, match=r"config\.json is missing"):
        SavedModel.read(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        SavedModel.read(tmp_path / "none")
