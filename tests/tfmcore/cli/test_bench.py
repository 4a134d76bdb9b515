"""bench: a preset of each kind takes a step, writes if it can, and is measured."""

import json
import re

import pytest

from tfmcore.config import TASKS, presets
from tfmcore.training import largest_batch, machine
from tfmcore.units import size

FEW = ("--set", "training.batch_size=2", "--set", "training.threads=1", "--set", "training.device=cpu")
PARTS = ["data", "forward", "backward", "optimizer", "bookkeeping"]


@pytest.fixture(autouse=True)
def soon_measured(monkeypatch):
    monkeypatch.setattr(machine, "SECONDS", 0.01)


OF_EACH_KIND = {
    (config.model.architecture, config.data.task): name
    for name, preset in presets().items()
    if not preset.reading
    for config in [preset.config([])]
}


@pytest.mark.parametrize("name", OF_EACH_KIND.values())
def test_a_preset_of_each_kind_is_measured(tfm, name):
    result = tfm("bench", name, *FEW, "--steps", "1", "--random-tokens", "--json")
    facts = json.loads(result.out)
    assert (result.code, result.err, facts["config"]) == (0, "", name)
    assert facts["parameters"] > 100_000
    assert facts["seconds_per_step"] > 0
    assert facts["tokens_per_second"] == pytest.approx(facts["tokens_per_step"] / facts["seconds_per_step"])
    assert facts["flops_per_second"] == pytest.approx(
        facts["share_of_matrix_rate"] * facts["machine"]["flops_per_second"]
    )
    verb = TASKS[presets()[name].config([]).data.task].verb
    assert list(facts["writing"]) == (["fp32", "bf16", "int8"] if verb in ("generate", "translate") else [])
    for speed in facts["writing"].values():
        assert speed["bytes_per_second"] == pytest.approx(speed["bytes_per_token"] * speed["tokens_per_second"])


@pytest.mark.parametrize("name", ["nano-decoder", "nano-seq2seq", "tell-languages"])
def test_a_step_on_the_own_data_has_its_parts(tfm, name):
    result = tfm("bench", name, *FEW, "--set", "training.accumulation=2", "--steps", "2", "--json")
    facts = json.loads(result.out)
    assert list(facts["seconds_by_part"]) == PARTS
    assert all(seconds > 0 for seconds in facts["seconds_by_part"].values())
    assert sum(facts["seconds_by_part"].values()) == pytest.approx(facts["seconds_per_step"])


def test_the_head_of_a_masked_language_model_computes_at_hidden_tokens_only(tfm):
    of_head, of_layers = {}, {}
    for words in ((), ("--random-tokens",)):
        few = (*FEW, "--set", "data.max_examples=200", "--steps", "1")
        facts = json.loads(tfm("bench", "nano-encoder", *few, *words, "--json").out)
        work, tokens = facts["flops_per_step"], facts["tokens_per_step"]
        of_head[words], of_layers[words] = work["head"] / tokens, work["feed-forward"] / tokens
    all_tokens = of_head["--random-tokens",]
    assert 0.05 * all_tokens < of_head[()] < 0.3 * all_tokens
    assert of_layers[()] == pytest.approx(of_layers["--random-tokens",])


def test_attention_computes_with_the_tokens_that_there_are(tfm):
    """Texts of some tokens in a context of 512, of which attention would be the most."""
    long = ("--set", "model.context_length=512", "--set", "data.max_examples=60", "--steps", "1")
    facts = json.loads(tfm("bench", "tell-languages", *FEW, *long, "--json").out)
    assert facts["tokens_per_step"] < 2 * 64
    assert facts["flops_per_step"]["attention"] < facts["flops_per_step"]["feed-forward"]


def test_tables(tfm):
    result = tfm("bench", "induction", *FEW, "--steps", "1")
    assert (result.code, result.err) == (0, "")
    for words in ("tokens/s", "of memory", "attention", "feed-forward", "head", "int8", *PARTS):
        assert words in result.out


@pytest.mark.parametrize("has", [True, False])
def test_it_says_what_the_processor_has_not(tfm, monkeypatch, has):
    monkeypatch.setattr("tfmcore.nn.kernels.linear.HAS_BF16", has)
    bf16 = ("--set", "training.precision=bf16", "--steps", "1", "--random-tokens")
    result = tfm("bench", "reverse", *FEW, *bf16, "--json")
    assert result.code == 0
    assert ("no bf16 matrix products" in result.err) is not has


def test_the_largest_batch_that_fits_is_found(tfm, monkeypatch):
    monkeypatch.setattr(largest_batch, "available_memory", lambda device: 250 * 2**20)
    words = ["bench", "nano-decoder", "--largest-batch", "--set", "model.context_length=128"]
    facts = json.loads(tfm(*words, "--json").out)
    assert 0.6 * facts["limit"] < facts["bytes"] <= facts["limit"] == int(0.8 * 250 * 2**20)
    assert facts["tokens_per_step"] == facts["batch_size"] * 128
    said = re.fullmatch(r"training.batch_size=\d+ fits: (.+) of 200 MiB, [\d.]+ m?s per step\n", tfm(*words).out)
    assert said
    assert said[1] == size(facts["bytes"])
