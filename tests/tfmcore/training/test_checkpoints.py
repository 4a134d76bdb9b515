"""No kill, full disk or flipped bit costs more than the newest checkpoint."""

import errno
import os
import random
import stat
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest

from tfmcore.config import Config, UserError
from tfmcore.runs import Manifest, Run
from tfmcore.training.checkpoints import Checkpoints
from tfmcore.training.faults import Failure

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "été 训练 🙂", Config(), "run")


def fill(folder: Path, size: int = 1000) -> None:
    (folder / "model.safetensors").write_bytes(os.urandom(size))
    (folder / "config.json").write_text("{}")


def save(checkpoints: Checkpoints, step: int, loss: float | None = None, fill=fill):
    return checkpoints.write(Manifest(step=step, validation_loss=loss, files={}), fill)


def steps(run: Run) -> list[int]:
    return [checkpoint.step for checkpoint in run.checkpoints()]


def test_the_last_two_and_the_best_stay(run):
    checkpoints = Checkpoints(run)
    kept = []
    for step, loss in enumerate([5.0, 4.0, 1.0, 2.0, None, 3.0, 0.5, 0.6, 0.7], start=1):
        assert save(checkpoints, step, loss).replaced == ""
        kept.append(steps(run))
    assert kept == [[1], [1, 2], [2, 3], [3, 4], [3, 4, 5], [3, 5, 6], [6, 7], [7, 8], [7, 8, 9]]
    assert not list((run.folder / "checkpoints").glob(".tmp-*"))
    assert not any(checkpoint.fault() for checkpoint in run.checkpoints())


def test_one_that_is_being_read_on_windows_is_deleted_whole_or_not_yet(run, monkeypatch):
    checkpoints, rename = Checkpoints(run), Path.rename
    save(checkpoints, 1, 9.0), save(checkpoints, 2, 2.0)

    def refuse(path, target):
        if path.name == "step-00000001":
            raise PermissionError(13, "Access is denied")
        return rename(path, target)

    with monkeypatch.context() as reading:
        reading.setattr(Path, "rename", refuse)
        save(checkpoints, 3, 3.0)
    assert steps(run) == [1, 2, 3]
    assert not any(checkpoint.fault() for checkpoint in run.checkpoints())
    save(checkpoints, 4, 4.0)
    assert steps(run) == [2, 3, 4]


def test_those_of_every_so_many_steps_stay(run):
    checkpoints = Checkpoints(run, keep_every=4)
    for step in range(2, 17, 2):
        save(checkpoints, step, float(step))
    assert steps(run) == [2, 4, 8, 12, 14, 16]
    save(checkpoints, 100_000_000)
    assert steps(run)[-2:] == [16, 100_000_000], "in order of steps, not of names"
    assert checkpoints.newest_whole()[0].step == 100_000_000


def test_a_file_system_that_pushes_no_folders_keeps_checkpoints(run, monkeypatch):
    fsync = os.fsync

    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")  # as Linux says of a folder on a share of Windows
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    save(Checkpoints(run), 1)
    assert steps(run) == [1]


@pytest.mark.fault(1)
def test_litter_is_swept_at_the_start(run):
    for name in (".tmp-5-123", ".tmp-deleted-step-00000001"):
        fill_into = run.folder / "checkpoints" / name
        fill_into.mkdir()
        fill(fill_into)
    Checkpoints(run)
    assert list((run.folder / "checkpoints").iterdir()) == []


@pytest.mark.fault(2)
@pytest.mark.parametrize("whole", [True, False])
def test_what_stands_in_the_place_of_a_step_is_replaced_and_said(run, whole):
    checkpoints = Checkpoints(run)
    old = run.folder / "checkpoints" / "step-00000004"
    if whole:
        save(checkpoints, 4)
    else:
        old.mkdir()
        (old / "half").write_text("a file")
    written = save(checkpoints, 4, 1.0)
    assert "step-00000004" in written.replaced
    assert sorted(path.name for path in old.iterdir()) == ["config.json", "manifest.json", "model.safetensors"]
    assert run.checkpoints()[0].manifest.validation_loss == 1.0
    assert steps(run) == [4]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, 10)


@pytest.mark.fault(6)
@pytest.mark.parametrize(
    ("name", "harm"),
    [*product(["model.safetensors", "config.json"], [flip, cut, Path.unlink]), ("manifest.json", cut)],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(run, harm, name):
    checkpoints = Checkpoints(run)
    save(checkpoints, 1), save(checkpoints, 2)
    harm(run.checkpoints()[-1].folder / name)
    found, faults = checkpoints.newest_whole()
    assert found.step == 1
    assert len(faults) == 1
    assert str(Path("step-00000002") / name) in faults[0]
    harm(found.folder / name)
    with pytest.raises(UserError, match="no checkpoint of the run is intact"):
        checkpoints.newest_whole()


def test_without_a_manifest_there_is_no_checkpoint(run):
    checkpoints = Checkpoints(run)
    save(checkpoints, 1), save(checkpoints, 2)
    (run.checkpoints()[-1].folder / "manifest.json").unlink()
    found, faults = checkpoints.newest_whole()
    assert (found.step, faults) == (1, [])
    assert Checkpoints(Run(run.folder.parent)).newest_whole() == (None, [])


def test_older_ones_stay_until_the_newest_has_been_read_back(run, monkeypatch):
    checkpoints = Checkpoints(run)
    save(checkpoints, 1), save(checkpoints, 2)
    rename = Path.rename

    def damaging(path: Path, target: Path) -> None:
        flip(path / "model.safetensors")
        rename(path, target)

    monkeypatch.setattr(Path, "rename", damaging)
    save(checkpoints, 3)
    assert steps(run) == [1, 2, 3]
    assert checkpoints.newest_whole()[0].step == 2


@pytest.mark.fault(3)
@pytest.mark.parametrize("size", [50_000, 5_000_000])
def test_a_full_disk_stops_with_a_sentence_and_loses_nothing(run, size):
    checkpoints = Checkpoints(run)
    save(checkpoints, 1)
    code = f"""
import resource, sys
from pathlib import Path
from tfmcore.runs import Manifest, Run
from tfmcore.training.checkpoints import Checkpoints
from tfmcore.training.faults import Failure
resource.setrlimit(resource.RLIMIT_FSIZE, ({size} // 2, {size} // 2))
try:
    Checkpoints(Run(Path(sys.argv[1]))).write(
        Manifest(step=2, files={{}}), lambda folder: (folder / "model.safetensors").write_bytes(bytes({size}))
    )
except Failure as failure:
    print(failure)
"""
    command = [sys.executable, "-c", code, run.folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "checkpoint of step 2 could not be written" in done.stdout
    assert "File too large" in done.stdout
    assert "step 1 is intact" in done.stdout
    assert [path.name for path in (run.folder / "checkpoints").iterdir()] == ["step-00000001"]
    assert checkpoints.newest_whole()[0].step == 1


@pytest.mark.fault(4)
@pytest.mark.parametrize("place", ["file", "/proc"])
def test_a_folder_that_takes_nothing_is_refused_at_once(run, tmp_path, place):
    if place == "file":
        (run.folder / "checkpoints").rmdir()
        (run.folder / "checkpoints").write_text("in the way")
    else:
        run = Run(Path("/proc/self"))
    with pytest.raises(UserError, match="checkpoints cannot be written"):
        Checkpoints(run)


def test_failure_is_no_bad_input_but_says_its_sentence(run):
    checkpoints = Checkpoints(run)

    def broken(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise OSError(28, "No space left on device")

    with pytest.raises(Failure, match="No space left on device"):
        save(checkpoints, 1, fill=broken)
    assert list((run.folder / "checkpoints").iterdir()) == []


SAVER = """
import os, sys
from pathlib import Path
from tfmcore.runs import Manifest, Run
from tfmcore.training.checkpoints import Checkpoints

def fill(folder):
    for name in ("model.safetensors", "optimizer.safetensors", "config.json"):
        (folder / name).write_bytes(os.urandom(300_000))

checkpoints = Checkpoints(Run(Path(sys.argv[1])))
start = checkpoints.newest_whole()[0]
for step in range(start.step + 1 if start else 1, 10_000):
    checkpoints.write(Manifest(step=step, files={}), fill)
    print(step, flush=True)
"""


@pytest.mark.fault(1)
def test_killed_in_mid_save_again_and_again(run):
    """Every kill leaves a newest whole checkpoint at or after the last one that was said to be saved."""
    chance, reached = random.Random(0), 0
    for _ in range(8):
        child = subprocess.Popen([sys.executable, "-c", SAVER, run.folder], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        said = [child.stdout.readline() for _ in range(3)]
        time.sleep(chance.random() * 0.04)
        child.kill()
        said += child.stdout.readlines()
        child.wait()
        child.stdout.close()
        found, faults = Checkpoints(run).newest_whole()
        assert faults == []
        assert found.step >= max(int(line) for line in said if line.endswith("\n")) > reached
        reached = found.step
        assert not list((run.folder / "checkpoints").glob(".tmp-*"))
