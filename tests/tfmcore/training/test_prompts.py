"""A decoder learns from a table of one's own to write what belongs to a prompt, and is used and judged on that."""

import json
import random

import pytest

import tfmcore
from tfmcore.cli.main import main
from tfmcore.config import Config
from tfmcore.data import evaluation_split
from tfmcore.data.progress import silent
from tfmcore.inference.generate import write_many
from tfmcore.inference.opened import open_model
from tfmcore.inference.sampling import Sampling
from tfmcore.inference.writing import Manner
from tfmcore.messages import Evaluated, Sampled
from tfmcore.training.evaluation import measure

LETTERS = "abcdefgh"
STEPS = 350
SMALL = {
    "tokenizer": {"kind": "char"},
    "model": {"architecture": "decoder", "d_model": 32, "num_heads": 2, "num_layers": 2, "context_length": 16},
    "training": {
        "steps": STEPS, "batch_size": 64, "learning_rate": 0.004, "warmup_steps": 10, "threads": 1, "device": "cpu",
        "eval_every": STEPS, "save_every": STEPS, "sample_every": STEPS,
    },
}  # fmt: skip


def words(count, seed):
    draw = random.Random(seed)
    return ["".join(draw.choices(LETTERS, k=draw.randint(2, 4))) for _ in range(count)]


def write_pairs(path, found):
    path.write_text("prompt,completion\n" + "".join(f"{word.upper()},{word}\n" for word in found))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on pairs of an upper-case word and the same in lower case, and its events; an arrow stands between."""
    folder = tmp_path_factory.mktemp("prompts")
    path = write_pairs(folder / "pairs.csv", words(1500, 0))
    data = {"source": "file", "task": "language_modeling", "path": str(path), "separator": "→"}
    config = Config.parse(SMALL | {"data": data})
    return folder / "run", list(tfmcore.train(config, folder / "run"))


def test_it_learns_what_belongs_to_a_prompt(trained, tmp_path):
    run, _ = trained
    opened = open_model(run)
    new = [word for word in words(200, 1) if word not in words(1500, 0)]
    prompts = [f"{word.upper()}→" for word in new]
    written = write_many(opened.model, opened.tokenizer, prompts, Manner(16, Sampling(0.0)))
    right = sum(each.text == word and each.reason == "end" for each, word in zip(written, new, strict=True))
    assert right >= 0.9 * len(new), [(word, each.text) for each, word in zip(written, new, strict=True)][:10]
    data = opened.saved.data.model_copy(update={"path": str(write_pairs(tmp_path / "new.csv", new))})
    split = evaluation_split(data, opened.tokenizer, [], 16, cache=tmp_path)
    facts = measure(opened, split, None, silent)
    assert facts["perplexity"] < 1.1  # that of the prompts, random letters, is about 8
    assert facts["exact_match"] == sum(each.text == word for each, word in zip(written, new, strict=True)) / len(new)
    assert facts["compared_texts"] == len(new)
    assert facts["chrf"] > 90


def test_it_is_shown_and_judged_on_what_was_held_out(trained):
    _, events = trained
    samples = [event for event in events if isinstance(event, Sampled)]
    assert len(samples) == 3
    assert all(sample.prompt.lower() == sample.expected for sample in samples)
    assert sum(sample.text == sample.expected for sample in samples) >= 2
    (found,) = (event for event in events if isinstance(event, Evaluated))
    assert found.loss < 0.1
    assert found.metrics["exact_match"] >= 0.9


def test_the_terminal_evaluates_and_writes(trained, capsys):
    run, events = trained
    assert main(["evaluate", str(run), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["perplexity"] < 1.1
    (found,) = (event for event in events if isinstance(event, Evaluated))
    assert facts["exact_match"] == found.metrics["exact_match"], "what is likeliest at each place is what is written"
    assert main(["generate", str(run), "ABBA", "FACE", "--temperature", "0", "--json"]) == 0
    assert [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()] == ["abba", "face"]
    for words, text in ((["ABBA"], "ABBA→abba"), (["AB→", "--separator", ""], "AB→ab")):
        assert main(["generate", str(run), *words, "--temperature", "0"]) == 0
        assert capsys.readouterr().out.strip() == text
