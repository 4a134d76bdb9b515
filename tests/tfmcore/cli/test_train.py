"""train and resume, with a trainer that only says how it ended: exit codes, JSON, names, paths."""

import json
from types import SimpleNamespace

import pytest

from tfmcore.cli import train
from tfmcore.messages import Evaluated, Finished, Stepped
from tfmcore.runs import Exit, Run, RunState, list_runs
from tfmcore.training import process

EVENTS = [
    Stepped(step=1, loss=float("nan"), learning_rate=1e-3, gradient_norm=1, tokens=100, seconds=0.1),
    Evaluated(step=1, loss=1.5, metrics={"exact_match": 0.5}),
    Finished(step=1),
]
ENDINGS = {
    "finished": (Exit(state=RunState.FINISHED, step=1, sentence="a finished at step 1"), 0),
    "stopped": (Exit(state=RunState.STOPPED, step=1, sentence="a stopped at step 1"), 130),
    "failed": (Exit(state=RunState.FAILED, step=1, sentence="the disk is full", code=1), 1),
    "bad input": (Exit(state=RunState.FAILED, step=0, sentence="line 3 has 2 columns", code=2), 2),
}


@pytest.fixture
def trained(monkeypatch):
    """The runs that were trained; each ends as `trained.ending` says."""
    seen = SimpleNamespace(runs=[], ending=ENDINGS["finished"][0])

    def run_trainer(run: Run, on_event=None, on_progress=None, num_hosts=1):
        seen.runs.append(run)
        if on_progress:
            on_progress("training the tokenizer", 1, 2)
        for event in EVENTS if on_event else ():
            on_event(event)
        seen.ending.write(run.folder / "exit.json")
        return seen.ending

    monkeypatch.setattr(process, "run_trainer", run_trainer)
    return seen


@pytest.mark.parametrize(("ending", "code"), ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("verb", ["train", "resume", "--continue"])
def test_exit_code_says_how_it_ended(tfm, trained, ending, code, verb):
    trained.ending = ENDINGS["stopped"][0]
    tfm("train", "reverse", "--name", "a")
    trained.ending = ending
    words = {"train": ["train", "reverse"], "resume": ["resume", "a"]}
    result = tfm(*words.get(verb, ["train", "--continue", trained.runs[0].folder]))
    assert result.code == code
    assert result.out == ""
    if code in (1, 2):
        assert result.err.splitlines()[-1] == f"tfm: {ending.sentence}"


def test_epochs_are_turned_into_steps_before_the_run_is_made(tfm, trained):
    few = ("--set", "data.max_examples=100", "--set", "training.batch_size=20")
    assert tfm("train", "reverse", *few, "--epochs", "2.5").code == 0  # of 90 examples, for 10 are held out
    assert trained.runs[0].config().training.steps == 12
    assert tfm("train", "reverse", "--epochs", "0").code == 2


def test_json_is_one_event_a_line_and_nothing_else(tfm, trained):
    result = tfm("train", "reverse", "--json")
    found = [json.loads(line) for line in result.out.splitlines()]
    assert [event["kind"] for event in found] == ["stepped", "evaluated", "finished"]
    assert found[0]["loss"] is None  # JSON knows no NaN
    assert result.err == ""


def test_run_holds_the_config_and_the_name(tfm, trained, workspace):
    assert tfm("train", "reverse", "--set", "training.seed=7", "--name", "été 🙂").code == 0
    (run,) = list_runs(workspace / "runs")
    assert run.label == "été 🙂"
    assert run.config().training.seed == 7
    assert run.config().model.preset == "reverse"


def test_runs_go_where_they_are_told(tfm, trained, tmp_path, workspace):
    tfm("train", "reverse", "--runs", "here")
    tfm("train", "reverse", "--workspace", tmp_path / "there")
    assert [run.folder.parent for run in trained.runs] == [tmp_path / "here", tmp_path / "there" / "runs"]
    assert [run.label for run in trained.runs] == ["reverse", "reverse"]
    assert not workspace.exists()


def test_config_file_gives_the_name(tfm, trained, tmp_path):
    (tmp_path / "mine.toml").write_text('[data]\nsource = "copy"\ntask = "translation"\n[model]\npreset = "reverse"\n')
    tfm("train", "mine.toml")
    assert trained.runs[0].label == "mine"
    assert trained.runs[0].config().data.source == "copy"


def test_paths_are_kept_whole(tfm, trained, tmp_path):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "b.json").write_text("{}")
    words = ["data.source=file", "data.path=a.txt", "data.validation_path=a.txt", "tokenizer.kind=file",
             "tokenizer.path=b.json"]  # fmt: skip
    tfm("train", "nano-decoder", *(part for word in words for part in ("--set", word)))
    config = trained.runs[0].config()
    assert config.data.path == config.data.validation_path == str(tmp_path / "a.txt")
    assert config.tokenizer.path == str(tmp_path / "b.json")
    assert config.data.target_path == ""


def test_detached_run_is_named(tfm, monkeypatch, workspace):
    started = []
    monkeypatch.setattr(train, "start_trainer", lambda run: started.append(run) or SimpleNamespace(pid=42))
    plain, as_json = tfm("train", "reverse", "--detach"), tfm("train", "reverse", "--detach", "--json")
    first, second = started
    assert plain.out == f"{first.id}\n"
    assert json.loads(as_json.out) == {"id": second.id, "label": "reverse", "folder": str(second.folder), "pid": 42}


def test_run_that_cannot_be_made(tfm, trained, tmp_path):
    (tmp_path / "file").write_text("")
    result = tfm("train", "reverse", "--runs", tmp_path / "file")
    assert (result.code, trained.runs) == (2, [])
    assert "a run cannot be made" in result.err
