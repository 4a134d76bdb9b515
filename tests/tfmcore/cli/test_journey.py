"""The whole job through the command line, for each kind of model: train, look, use, evaluate, inspect."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tfmcore.cli
from tests.tfmcore.gpu import WRITES_IN
from tfmcore.cli.main import main
from tfmcore.config import TASKS, find_preset
from tfmcore.runs import Run, RunState, list_runs

TINY = [
    "model.d_model=16", "model.num_heads=2", "model.num_layers=1", "model.num_decoder_layers=none",
    "training.steps=4", "training.warmup_steps=1", "training.batch_size=4", "training.eval_every=2",
    "training.eval_batches=2", "training.save_every=2", "training.sample_every=4", "training.threads=1",
    "data.max_examples=200",
]  # fmt: skip
USES = {
    "induction": ("generate", ["a b c a", "--max-new-tokens", "5", "--seed", "1"], "text"),
    "reverse": ("translate", ["abc", "--max-new-tokens", "5"], "hypotheses"),
    "tell-languages": ("classify", ["kedd"], "probabilities"),
    "nano-encoder": ("fill", ["the [MASK] of"], "masks"),
    "tag-sentences": ("tag", ["Ada flew to Norway."], "tokens"),
    "answer-questions": ("answer", ["--question", "who?", "--context", "Ada flew to Norway."], "answers"),
}
KINDS = {preset: ["encoder"] for preset in USES} | {
    "induction": ["decoder"],
    "reverse": ["encoder", "decoder", "cross"],
}
METRICS = {
    "generate": {"bits_per_byte", "perplexity", "accuracy"},
    "fill": {"perplexity", "accuracy"},
    "classify": {"accuracy", "macro_f1"},
    "translate": {"exact_match", "bleu", "chrf", "token_accuracy"},
    "tag": {"accuracy", "entity_precision", "entity_recall", "entity_f1"},
    "answer": {"place_accuracy", "place_f1", "exact_match", "f1"},
}


def sets(*more):
    return [word for value in (*TINY, *more) for word in ("--set", value)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A workspace that all of this file shares, with spaces, accents, Chinese and an emoji in its path."""
    return tmp_path_factory.mktemp("shop") / "été 训练 🙂"


@pytest.fixture(scope="module", params=USES)
def preset(request, shop):
    """A preset of which a tiny run of the same name has been trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFM_CACHE", str(shop / "cache"))
        assert main(["train", request.param, *sets(), "--workspace", str(shop)]) == 0
    return request.param


@pytest.fixture
def workspace(shop, tmp_path, monkeypatch):
    """In place of the one that each test would have of its own."""
    monkeypatch.setenv("TFM_WORKSPACE", str(shop))
    monkeypatch.setenv("TFM_CACHE", str(shop / "cache"))
    monkeypatch.chdir(tmp_path)
    return shop


def test_every_verb_is_used():
    assert {verb for verb, *_ in USES.values()} == METRICS.keys() == {facts.verb for facts in TASKS.values()}


def test_status_after_training(tfm, preset):
    facts = json.loads(tfm("status", preset, "--json").out)
    assert (facts["state"], facts["step"], facts["steps"]) == ("finished", 4, 4)
    assert facts["validation_loss"] > 0
    assert preset in tfm("status").out


@pytest.mark.fault(27)
def test_use(tfm, preset):
    verb, words, _ = USES[preset]
    result = tfm(verb, preset, *words)
    assert result.code == 0
    assert result.out.strip()
    if verb == "generate":
        assert result.out.startswith(words[0])


def test_use_as_json(tfm, preset):
    verb, words, key = USES[preset]
    result = tfm(verb, preset, *words, "--json")
    (line,) = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert json.loads(line)[key]


def test_use_of_another_kind_is_refused(tfm, preset):
    own = USES[preset][0]
    for verb, words, _ in USES.values():
        if verb != own:
            result = tfm(verb, preset, *words)
            assert (result.code, result.out) == (2, "")
            assert "cannot" in result.err
            assert len(result.err.splitlines()) == 1


def test_model_folder_serves_as_the_run_does(tfm, preset, workspace):
    verb, words, _ = USES[preset]
    run = next(run for run in list_runs(workspace / "runs") if run.label == preset)
    by_folder = tfm(verb, run.best().folder, *words, "--json")
    assert by_folder.code == 0
    assert tfm(verb, run.folder, *words, "--json").code == 0


@pytest.mark.fault(27)
def test_evaluate(tfm, preset):
    result = tfm("evaluate", preset, "--limit", "6", "--json")
    facts = json.loads(result.out)
    assert (result.code, result.err, facts["examples"]) == (0, "", 6)
    assert facts["loss"] > 0
    assert set(facts) >= METRICS[USES[preset][0]]
    assert "loss " in tfm("evaluate", preset, "--limit", "6").out


@pytest.mark.fault(27)
@pytest.mark.parametrize("suffix", [".svg", ".npz"])
def test_inspect(tfm, preset, tmp_path, suffix):
    path = tmp_path / f"été 🙂{suffix}"
    result = tfm("inspect", preset, "abcab", "-o", path, "--json")
    facts = json.loads(result.out)
    assert (result.code, result.err, facts["path"]) == (0, "", str(path))
    assert list(facts["attentions"]) == KINDS[preset]
    if suffix == ".npz":
        with np.load(path) as arrays:
            for kind in KINDS[preset]:
                assert arrays[kind].shape[:2] == (1, 2)
                assert len(arrays[f"{kind}_rows"]) == arrays[kind].shape[2]
    else:
        assert path.read_text(encoding="utf-8").startswith("<svg")


def test_inspect_reads_the_second_text_that_the_model_does(tfm, preset, tmp_path):
    words, option = ("inspect", preset, "a b", "-o", tmp_path / "a.npz", "--json"), {"target": "--target", "": "--pair"}
    second = TASKS[find_preset(preset).config().data.task].second
    result = tfm(*words, option.get(second, "--pair"), "Ada b c")
    if second:
        alone = json.loads(tfm(*words).out)["attentions"]
        assert len(json.loads(result.out)["attentions"][KINDS[preset][-1]]["rows"]) != len(
            alone[KINDS[preset][-1]]["rows"]
        )
    else:
        assert (result.code, result.out) == (2, "")
        assert "reads one text" in result.err
    if second != "target":
        assert "no decoder" in tfm(*words, "--target", "a").err


def test_stream_is_a_token_a_line(tfm):
    tfm("train", "induction", *sets(), "--name", "streamed")
    words = ["--max-new-tokens", "3", "--seed", "1", "--json", "--stream"]
    *tokens, reply = map(json.loads, tfm("generate", "streamed", "a b c a", *words).out.splitlines())
    assert reply["kind"] == "generated"
    assert [(token["kind"], token["index"]) for token in tokens] == [("token", i) for i in range(reply["num_tokens"])]
    assert tokens


def test_many_prompts_are_written_on_at_once(tfm):
    tfm("train", "induction", *sets(), "--name", "many")
    prompts = ["a b c a", "x", "k d x k d"]
    words = ["--max-new-tokens", "4", "--temperature", "0"]
    many = tfm("generate", "many", *prompts, *words)
    assert (many.code, many.err) == (0, "")
    alone = [tfm("generate", "many", prompt, *words).out for prompt in prompts]
    assert many.out == "\n".join(alone)
    replies = [json.loads(line) for line in tfm("generate", "many", *prompts, *words, "--json").out.splitlines()]
    assert [prompt + reply["text"] + "\n" for prompt, reply in zip(prompts, replies, strict=True)] == alone
    assert replies[1].keys() == json.loads(tfm("generate", "many", "x", *words, "--json").out).keys()
    beams = tfm("generate", "many", *prompts, *words[:2], "--beams", "2", "--json").out.splitlines()
    assert [len(json.loads(line)["hypotheses"]) for line in beams] == [2, 2, 2]


@pytest.mark.parametrize("precision", WRITES_IN)
def test_a_precision_is_said_to_change_the_logits(tfm, precision):
    tfm("train", "induction", *sets(), "--name", "precise")
    words = ("--max-new-tokens", "3", "--temperature", "0", "--precision", precision)
    one, many = tfm("generate", "precise", "a b c a", *words), tfm("generate", "precise", "a b c a", "x", *words)
    for result in (one, many):
        assert result.code == 0
        assert f"In {precision} the logits differ from fp32's" in result.err
    assert many.out.startswith(one.out)


def test_events_as_json(tfm):
    result = tfm("train", "induction", *sets(), "--json")
    kinds = [json.loads(line)["kind"] for line in result.out.splitlines()]
    assert (result.code, result.err) == (0, "")
    assert (kinds[0], kinds[-1]) == ("started", "finished")
    assert kinds.count("stepped") == 4
    assert {"evaluated", "sampled", "saved"} <= set(kinds)


def test_sentiment_from_a_file(tfm, tmp_path):
    rows = "".join(f"{word} film number {n}\t{label}\n" for n in range(20)
                   for word, label in (("great", "good"), ("awful", "bad")))  # fmt: skip
    for name in ("train", "test"):
        (tmp_path / f"{name}.tsv").write_text("what\tlook\n" + rows, encoding="utf-8")
    words = ["data.source=file", "data.path=train.tsv", "data.columns.text=what", "data.columns.label=look"]
    assert tfm("train", "tell-languages", *sets(*words), "--name", "films").code == 0
    evaluated = tfm("evaluate", "films", "--data", "test.tsv", "--columns", "text=what", "label=look", "--json")
    assert json.loads(evaluated.out)["examples"] == 40
    first = tfm("evaluate", "films", "--data", "test.tsv", "--limit", "1", "--json")
    assert (json.loads(first.out)["examples"], json.loads(first.out)["accuracy"] in (0, 1)) == (1, True)
    assert set(json.loads(tfm("classify", "films", "great", "--json").out)["labels"]) == {"good", "bad"}
    (tmp_path / "odd.tsv").write_text(f"what\tlook\ngreat\tgood\n\tbad\n{'awful ' * 500}\tbad\n", encoding="utf-8")
    odd = tfm("evaluate", "films", "--data", "odd.tsv", "--json")
    assert json.loads(odd.out)["examples"] == 2
    assert "skipped because one of their texts is empty: 1\n1 of 2 examples are longer than the context of" in odd.err


BAD_EVALUATIONS = {
    "no file": (["--data", "none.tsv"], "none.tsv is not a file"),
    "no column": (["--data", "a.tsv", "--columns", "text=nothing"], "nothing"),
    "no pair": (["--data", "a.tsv", "--columns", "text"], "is not ROLE=NAME"),
    "role of another task": (["--data", "a.tsv", "--columns", "source=a"], "data.columns"),
    "unknown label": (["--data", "a.tsv", "--columns", "text=a", "label=b"], "xx"),
    "none at all": (["--limit", "0"], "whole number"),
}


@pytest.mark.parametrize(("words", "said"), BAD_EVALUATIONS.values(), ids=BAD_EVALUATIONS)
def test_bad_evaluation(tfm, workspace, tmp_path, words, said):
    if not any(run.label == "judge" for run in list_runs(workspace / "runs")):
        tfm("train", "tell-languages", *sets(), "--name", "judge")
    (tmp_path / "a.tsv").write_text("a\tb\nkedd\txx\nTuesday\ten\n", encoding="utf-8")
    result = tfm("evaluate", "judge", *words)
    assert (result.code, result.out) == (2, "")
    assert said in result.err.splitlines()[-1]
    assert "Traceback" not in result.err


def test_bad_data_is_said_with_its_row(tfm, tmp_path):
    (tmp_path / "bad.tsv").write_bytes(b"text\tlabel\ncaf\xe9\tgood\n")
    words = sets("data.source=file", "data.path=bad.tsv")
    result = tfm("train", "tell-languages", *words, "--name", "bad")
    assert (result.code, result.out) == (2, "")
    assert "bad.tsv" in result.err.splitlines()[-1]
    assert "failed" in tfm("status").out


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_detached_run_is_paused_resumed_stopped_and_continued(tfm, workspace):
    more = sets("training.steps=100000", "training.eval_every=100000", "training.save_every=100000",
                "training.sample_every=0")  # fmt: skip
    facts = json.loads(tfm("train", "induction", *more, "--name", "long", "--detach", "--json").out)
    run = Run(Path(facts["folder"]))
    wait_for(lambda: run.state() is RunState.RUNNING and run.status().step > 0)
    assert tfm("pause", "long").code == 0
    wait_for(lambda: run.state() is RunState.PAUSED)
    assert tfm("learning-rate", "long", "1e-4").code == tfm("save", "long").code == tfm("resume", "long").code == 0
    wait_for(lambda: run.state() is RunState.RUNNING and run.checkpoints())
    assert tfm("resume", "long").code == 2
    assert tfm("stop", "long").code == 0
    wait_for(lambda: run.exit())
    stopped_at = run.exit().step
    assert (run.state(), run.checkpoints()[-1].step) == (RunState.STOPPED, stopped_at)
    assert tfm("resume", "long", "--detach").code == 0
    wait_for(lambda: run.status().step > stopped_at)
    tfm("stop", "long")
    wait_for(lambda: run.exit())
    assert {event.kind for event in run.events()} >= {"started", "stepped", "changed", "saved", "finished"}


@pytest.mark.fault(23)
def test_ctrl_c_saves_and_exits_130(workspace):
    root = Path(tfmcore.cli.__file__).parents[2]
    words = ["train", "induction", *sets("training.steps=100000"), "--name", "cut", "--json"]
    command = [sys.executable, "-m", "tfmcore", *words]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        while "stepped" not in child.stdout.readline():
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        rest, errors = child.communicate(timeout=60)
    assert (child.returncode, errors) == (130, "")
    assert json.loads(rest.splitlines()[-1])["reason"] == "stopped"
    run = next(run for run in list_runs(workspace / "runs") if run.label == "cut")
    assert run.state() is RunState.STOPPED
    assert run.checkpoints()
