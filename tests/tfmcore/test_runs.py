"""A run folder: what it says of itself, whatever has happened to the process that wrote it."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tfmcore import runs
from tfmcore.config import Config, UserError
from tfmcore.messages import Command, Failed, Stepped, Warned
from tfmcore.runs import (
    Checkpoint,
    EventReader,
    Exit,
    Manifest,
    ManifestFile,
    Run,
    RunState,
    find_model,
    find_run,
    is_process,
    list_runs,
    own_status,
    start_time,
)

NAMES = ["a run", "../../x", "x" * 300, "two\nlines", "🙂", "été 训练", "", ".", "con", "a/b\\c:d*?"]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "été 训练 🙂"


@pytest.fixture
def run(folder):
    return Run.create(folder, Config(), "first")


@pytest.fixture
def child():
    """A process that only waits."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    yield process
    process.kill()
    process.wait()


def says(run: Run, pid: int, state: RunState = RunState.RUNNING, **changes) -> None:
    own_status(state, pid, step=7).model_copy(update=changes).write(run.folder / "status.json")


def test_a_folder_that_may_not_be_entered_hides_no_other(run, folder, monkeypatch):
    (folder / "closed").mkdir()
    stat = os.stat

    def refuse(path, *arguments, **more):
        if "closed" in str(path):
            raise PermissionError(13, "Permission denied")
        return stat(path, *arguments, **more)

    monkeypatch.setattr(os, "stat", refuse)
    assert [each.id for each in list_runs(folder)] == [run.id]


@pytest.mark.fault(26)
@pytest.mark.parametrize("label", NAMES)
def test_any_label_makes_a_folder_of_its_own(folder, label):
    made = [Run.create(folder, Config(), label) for _ in range(3)]
    assert len({run.folder for run in made}) == 3
    for run in made:
        assert run.folder.parent == folder
        assert len(run.folder.name) < 80
        assert run.folder.name.isascii()
        assert "\n" not in run.label
        assert run.label == (" ".join(label.split())[:200] or run.id)
        assert run.config() == Config()
        assert run.state() is RunState.WAITING


def test_a_run_in_a_folder_of_ones_own(folder):
    first = Run.open(folder / "mine", Config())
    assert Run.open(folder / "mine", Config()).folder == first.folder
    other = Config.parse({"training": {"steps": 500}})
    with pytest.raises(UserError, match="another config"):
        Run.open(folder / "mine", other)


@pytest.mark.parametrize("make", [lambda at: Run.create(at, Config(), "x"), lambda at: Run.open(at, Config())])
def test_a_folder_that_cannot_be_is_refused_in_a_sentence(tmp_path, make):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "below", Path("/proc/nowhere")):
        with pytest.raises(UserError, match="cannot be made"):
            make(place)


def test_nothing_is_left_of_a_run_that_could_not_be_written(folder):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(UserError, match="cannot be made"):
            Run.create(folder, Config(), "first")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(folder.iterdir()) == []


def test_rename_changes_the_label_only(run):
    run.rename("  a new\nname ")
    assert (run.label, Run(run.folder).label, run.config()) == ("a new name", "a new name", Config())
    run.rename(" ")
    assert run.label == run.id


@pytest.mark.parametrize("label", ["训" * 100, "a\x00b", 'a/b\\c:d*?"', "NUL"])
def test_find_by_a_label_that_no_file_can_have(folder, label):
    made = Run.create(folder, Config(), label)
    assert find_run(label, folder).id == made.id
    with pytest.raises(UserError, match="no checkpoint yet"):
        find_model(label, folder)


def test_find_by_path_id_and_label(run, folder):
    assert {find_run(name, folder).id for name in (str(run.folder), run.id, "first")} == {run.id}
    assert [found.id for found in list_runs(folder)] == [run.id]
    with pytest.raises(UserError, match="no run 'second'"):
        find_run("second", folder)
    with pytest.raises(UserError, match="no checkpoint yet"):
        find_model("first", folder)
    assert list_runs(folder / "nowhere") == []


@pytest.mark.parametrize("state", sorted(state for state in RunState if state.alive and state is not RunState.SILENT))
def test_a_live_trainer_is_what_it_says(run, child, state):
    says(run, child.pid, state)
    assert run.state() is state
    assert state.alive


@pytest.mark.fault(21)
def test_a_killed_trainer_is_interrupted_and_resumable(run, child):
    says(run, child.pid)
    child.kill()
    deadline = time.monotonic() + 60
    while run.state() is RunState.RUNNING and time.monotonic() < deadline:  # not waited for: it is a zombie
        time.sleep(0.01)
    assert run.state() is RunState.INTERRUPTED
    assert run.state().resumable
    assert not run.kill()


@pytest.mark.fault(24)
def test_a_process_id_used_again_is_never_signalled(run, child):
    says(run, child.pid, started=start_time(child.pid) - 3600)
    assert run.state() is RunState.INTERRUPTED
    assert not run.kill()
    assert not run.kill("terminate")
    assert child.poll() is None


@pytest.mark.fault(24)
def test_a_process_of_the_same_number_and_moment_after_a_reboot_is_a_stranger(run, child):
    says(run, child.pid, boot="that of yesterday")
    assert run.state() is RunState.INTERRUPTED
    assert not run.kill()
    assert child.poll() is None


@pytest.mark.fault(37)
def test_a_silent_trainer_is_seen_and_can_be_killed(run, child):
    os.kill(child.pid, signal.SIGSTOP)
    says(run, child.pid, ticks=time.monotonic() - runs.SILENT_AFTER_SECONDS - 1)
    assert run.state() is RunState.SILENT
    assert run.status().age > runs.SILENT_AFTER_SECONDS
    assert run.kill("terminate")
    assert child.wait(60) == -signal.SIGTERM


@pytest.mark.fault(28)
@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
def test_a_clock_that_was_set_changes_nothing(run, child, monkeypatch, hours):
    says(run, child.pid)
    now, boot, create_time = time.time, psutil.boot_time(), psutil.Process.create_time
    monkeypatch.setattr(time, "time", lambda: now() + hours * 3600)
    monkeypatch.setattr(psutil, "boot_time", lambda: boot + hours * 3600)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: create_time(self) + hours * 3600)
    assert run.state() is RunState.RUNNING
    assert run.status().age < 60
    assert run.kill()


def test_a_run_of_another_host_goes_by_its_heartbeat(run):
    says(run, 1, host="elsewhere", started=0.0)
    assert run.state() is RunState.RUNNING
    assert not run.kill()
    says(run, 1, host="elsewhere", started=0.0, heartbeat=time.time() - 3600)
    assert run.state() is RunState.INTERRUPTED


def test_on_windows_it_has_a_hidden_console_and_so_has_what_it_starts(tmp_path, monkeypatch):
    given = {}
    flags = {"DETACHED_PROCESS": 0x8, "CREATE_NEW_PROCESS_GROUP": 0x200, "CREATE_NO_WINDOW": 0x8000000}
    for name, value in flags.items():
        monkeypatch.setattr(subprocess, name, value, raising=False)
    monkeypatch.setattr(runs, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(subprocess, "Popen", lambda _, **how: given.update(how) or SimpleNamespace(wait=lambda: 0))
    runs.start_detached(["python"], tmp_path / "log.txt")
    assert given["creationflags"] == 0x8000200
    assert "start_new_session" not in given


def test_exit_says_how_it_ended(run, child):
    says(run, child.pid)
    for state in (RunState.FINISHED, RunState.STOPPED, RunState.FAILED):
        Exit(state=state, step=9, sentence="so").write(run.folder / "exit.json")
        assert (run.state(), run.exit().step) == (state, 9)
        assert not state.alive


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"state": "no such state"}', "\0" * 9])
@pytest.mark.parametrize("name", ["status.json", "exit.json", "run.json"])
def test_half_a_document_is_none(run, name, text):
    (run.folder / name).write_text(text)
    assert run.state() is RunState.WAITING
    assert run.label in ("first", run.id)


def test_a_reader_never_sees_half_a_status(run):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(run.folder)], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
    )
    writer.stdout.readline()
    while writer.poll() is None:
        assert run.status() is not None
    assert writer.returncode == 0
    writer.stdout.close()
    assert sorted(path.name for path in run.folder.iterdir()) == ["checkpoints", "run.json", "run.toml", "status.json"]


WRITER = """
import os, sys
from pathlib import Path
from tfmcore.runs import RunState, own_status
path = Path(sys.argv[1]) / "status.json"
for i in range(2000):
    own_status(RunState.RUNNING, os.getpid(), step=i, phase="x" * (i % 500)).write(path)
    if i == 0:
        print(flush=True)
"""


def test_commands_are_appended_one_a_line(run):
    run.command(Command(kind="pause"))
    run.command(Command(kind="set_learning_rate", value=0.5))
    lines = (run.folder / "control.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["pause", "set_learning_rate"]
    assert run.folder.joinpath("control.jsonl").read_text().endswith("\n")


def stepped(step: int) -> Stepped:
    return Stepped(step=step, loss=1.0, learning_rate=0.1, gradient_norm=1.0, tokens=1, seconds=0.1)


@pytest.mark.fault(36)
def test_events_are_followed_and_a_cut_line_waits(run):
    path, reader = run.folder / "events.jsonl", EventReader(run.folder)
    assert list(reader.read()) == []
    lines = [stepped(i).model_dump_json() + "\n" for i in range(3)]
    path.write_text(lines[0] + lines[1][:20])
    assert [event.step for event in reader.read()] == [0]
    assert list(reader.read()) == []
    with open(path, "a") as file:
        file.write(lines[1][20:] + lines[2])
    assert [event.step for event in reader.read()] == [1, 2]


@pytest.mark.fault(36)
def test_a_line_that_a_kill_cut_is_passed_over(run):
    line = stepped(1).model_dump_json()
    lines = [line, line[:30], "null", "\xff", '{"kind": "of a newer version"}', Warned(sentence="w").model_dump_json()]
    (run.folder / "events.jsonl").write_text("\n".join([*lines, ""]), encoding="latin-1")
    assert [event.kind for event in run.events()] == ["stepped", "warned"]


def test_a_long_file_is_read_in_pieces(run):
    with open(run.folder / "events.jsonl", "w") as file:
        file.writelines(stepped(i).model_dump_json() + "\n" for i in range(1000))
    reader, seen = EventReader(run.folder), []
    while part := list(reader.read(5000)):
        seen += [event.step for event in part]
    assert seen == list(range(1000))


def test_an_event_longer_than_a_piece_is_read_whole_and_those_after_it_too(run):
    events = [stepped(0), Failed(step=1, sentence="long", details="1, " * 5000), stepped(2)]
    (run.folder / "events.jsonl").write_text("".join(event.model_dump_json() + "\n" for event in events))
    reader = EventReader(run.folder)
    assert [[event.step for event in reader.read(500)] for _ in range(4)] == [[0], [1], [2], []]


def checkpoint(run: Run, step: int, loss: float | None) -> Checkpoint:
    place = run.folder / "checkpoints" / f"step-{step:08d}"
    place.mkdir()
    (place / "config.json").write_text("{}")
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    manifest = Manifest(step=step, validation_loss=loss, files={"config.json": ManifestFile(sha256=digest, size=2)})
    manifest.write(place / "manifest.json")
    return Checkpoint(place, manifest)


@pytest.mark.parametrize(
    ("losses", "best"),
    [([3.0, 1.0, 2.0], 1), ([1.0, 1.0, None], 1), ([None, None], 1), ([None, 5.0], 1), ([2.0, None], 0)],
)
def test_the_best_checkpoint_has_the_lowest_loss_else_it_is_the_newest(run, losses, best):
    for step, loss in enumerate(losses):
        checkpoint(run, step, loss)
    assert run.best().step == best
    assert [found.step for found in run.checkpoints()] == list(range(len(losses)))
    assert find_model(str(run.folder)) == run.best().folder


def test_a_fault_names_the_file(run):
    found = checkpoint(run, 1, 1.0)
    assert found.fault() == ""
    (found.folder / "config.json").write_text("[]")
    assert "config.json is damaged" in found.fault()
    (found.folder / "config.json").unlink()
    assert "config.json cannot be read" in found.fault()
    (run.folder / "checkpoints" / "step-00000009").mkdir()  # half a checkpoint is none
    assert [other.step for other in run.checkpoints()] == [1]


def test_own_status_names_this_process():
    status = own_status(RunState.RUNNING, os.getpid())
    assert status.host == socket.gethostname()
    assert is_process(status.pid, status.started, status.boot)
    assert not is_process(2**22 + 1, status.started, status.boot)
