"""The queue: an order that can be changed, one run a device, and one process that starts them."""

import json
import subprocess
import sys
import threading
import time

import pytest

from tfmcore import queue as module
from tfmcore.config import Config, UserError
from tfmcore.queue import Queue, clash, run_queue, start_queue
from tfmcore.runs import Exit, Run, RunState, own_status, start_trainer


@pytest.fixture
def make(tmp_path):
    """A waiting run, of a device."""

    def make(label: str, device: str = "cpu") -> Run:
        return Run.create(tmp_path / "été 训练 🙂", Config.parse({"training": {"device": device}}), label)

    return make


@pytest.fixture
def queue(tmp_path) -> Queue:
    return Queue(tmp_path / "été 训练 🙂")


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """The labels of the runs that were started; each is alive until its exit is written."""
    found: list[str] = []

    def start(run: Run) -> None:
        found.append(run.label)
        own_status(RunState.RUNNING, __import__("os").getpid()).write(run.folder / "status.json")

    monkeypatch.setattr(module, "start_trainer", start)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.02)
    return found


def finish(run: Run, state: RunState = RunState.FINISHED) -> None:
    Exit(state=state, step=1).write(run.folder / "exit.json")


def test_the_order_can_be_changed_and_is_read_by_another(queue, make):
    a, b, c = (make(name).id for name in "abc")
    queue.add([a, b])
    queue.add([b, c, c])
    assert Queue(queue.runs).ids() == [a, b, c]
    queue.move(c, 0)
    assert queue.ids() == [c, a, b]
    queue.move(c, 99)
    assert queue.ids() == [a, b, c]
    queue.remove(b)
    queue.remove("no such run")
    assert queue.ids() == [a, c]
    with pytest.raises(UserError, match="is not in the queue"):
        queue.move(b, 0)


def test_a_run_that_is_deleted_waits_no_longer(queue, make, tmp_path):
    a, b = make("a"), make("b")
    queue.add([a.id, b.id])
    a.folder.rename(tmp_path / "away")
    assert queue.ids() == [b.id]


@pytest.mark.parametrize("text", ["", "{", "[1, null]", '{"a": 1}', '["../x", "/etc"]', '["' + "x" * 300 + '"]'])
def test_a_file_that_is_no_queue_is_empty_and_mended(queue, make, text):
    run = make("a")
    (queue.runs / module.FILE).write_text(text)
    assert queue.ids() == []
    queue.add([run.id])
    assert json.loads((queue.runs / module.FILE).read_text()) == [run.id]


def test_many_may_change_it_at_once(queue, make):
    ids = [make(f"run {number}").id for number in range(24)]
    threads = [threading.Thread(target=queue.add, args=([id],)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(queue.ids()) == sorted(ids)


def test_one_run_a_device_in_order(queue, make):
    runs = [make("one"), make("two"), make("gpu", "cuda"), make("any", "auto"), make("gpu two", "cuda")]
    queue.add([run.id for run in runs])
    assert [run.label for run in queue.ready()] == ["one", "gpu"]
    own_status(RunState.RUNNING, __import__("os").getpid()).write(runs[0].folder / "status.json")
    queue.remove(runs[0].id)
    assert [run.label for run in queue.ready()] == ["gpu"], "one trains still"
    finish(runs[0])
    assert [run.label for run in queue.ready()] == ["two", "gpu"]
    assert clash("auto", "cpu")
    assert not clash("cpu", "cuda")


def test_a_run_elsewhere_takes_no_device_here(queue, make):
    far, near = make("far"), make("near")
    status = own_status(RunState.RUNNING, 1).model_copy(update={"host": "another machine"})
    status.write(far.folder / "status.json")
    queue.add([near.id])
    assert [run.label for run in queue.ready()] == ["near"]


def test_each_starts_when_the_one_before_has_ended(queue, make, started):
    a, b, ended = make("a"), make("b"), make("ended")
    own_status(RunState.RUNNING, 1).write(ended.folder / "status.json")
    finish(ended)
    queue.add([a.id, ended.id, b.id])
    thread = threading.Thread(target=run_queue, args=(queue,))
    thread.start()
    while started != ["a"]:
        assert thread.is_alive()
    with pytest.raises(UserError, match="is already running"):
        run_queue(Queue(queue.runs))
    assert queue.is_run
    thread.join(0.2)
    assert started == ["a"], "it waits for the one that trains"
    finish(a)
    thread.join(20)
    assert started == ["a", "b"]
    assert queue.ids() == []
    assert not queue.is_run


def test_one_that_is_started_otherwise_waits_no_longer(queue, make, started):
    paused, by_hand, last = make("paused"), make("by hand"), make("last")
    own_status(RunState.PAUSED, __import__("os").getpid()).write(paused.folder / "status.json")
    queue.add([by_hand.id, last.id])
    thread = threading.Thread(target=run_queue, args=(queue,))
    thread.start()
    own_status(RunState.RUNNING, __import__("os").getpid()).write(by_hand.folder / "status.json")
    until = time.monotonic() + 20
    while queue.ids() != [last.id] and time.monotonic() < until:
        assert thread.is_alive()
    finish(by_hand, RunState.STOPPED)
    finish(paused)
    thread.join(20)
    assert started == ["last"], "what one has stopped is not started again"


def test_one_that_cannot_start_is_said_and_passed_over(queue, make, started, monkeypatch):
    bad, good = make("bad"), make("good")
    start = module.start_trainer

    def refuse(run: Run) -> None:
        if run.label == "bad":
            raise UserError("no room")
        start(run)

    monkeypatch.setattr(module, "start_trainer", refuse)
    queue.add([bad.id, good.id])
    said: list[str] = []
    run_queue(queue, on_refused=lambda run, sentence: said.append(f"{run.label}: {sentence}"))
    assert said == ["bad: no room"]
    assert started == ["good"]


@pytest.mark.parametrize("unwritable", ["log.txt", "exit.json"])
def test_one_whose_folder_cannot_be_written_lets_the_next_one_start(queue, make, started, monkeypatch, unwritable):
    bad, good = make("bad"), make("good")
    start = module.start_trainer
    monkeypatch.setattr(module, "start_trainer", lambda run: (start if run.label == "good" else start_trainer)(run))
    (bad.folder / unwritable).mkdir()
    queue.add([bad.id, good.id])
    said: list[str] = []
    run_queue(queue, on_refused=lambda run, sentence: said.append(f"{run.label}: {sentence}"))
    [sentence] = said
    assert sentence.startswith(f"bad: {bad.folder / unwritable}: ")
    assert (started, queue.ids()) == (["good"], [])
    if unwritable != "exit.json":
        assert (bad.exit().state, bad.exit().code) == (RunState.FAILED, 1)
        assert bad.exit().sentence.startswith(f"bad cannot start: {bad.folder / unwritable}: ")


def test_a_folder_that_cannot_be_written_is_said(tmp_path, make):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        Queue(tmp_path / "file").add(["x"])


def test_a_process_of_its_own_runs_it_and_loads_no_torch(queue, make):
    run = make("a")
    finish(run)
    own_status(RunState.RUNNING, 1).write(run.folder / "status.json")
    queue.add([run.id])
    start_queue(queue.runs)
    deadline = threading.Event()
    while queue.ids():
        assert not deadline.wait(0.05)
    code = "import sys, tfmcore.queue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
