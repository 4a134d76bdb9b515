"""What a run is asked to do arrives, whatever else stands in the file."""

import pytest

from tfmcore.config import Config
from tfmcore.data import Cancelled
from tfmcore.messages import Command
from tfmcore.runs import Run
from tfmcore.training.controls import Controls


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path, Config(), "run")


def test_every_command(run):
    controls, changes = Controls(run.folder), []
    controls.on_change = lambda: changes.append(1)
    controls.poll()
    assert (controls.stop, controls.paused, controls.save, controls.learning_rate, changes) == (False,) * 3 + (None, [])
    run.command(Command(kind="pause"))
    controls.poll()
    assert controls.paused
    assert len(changes) == 1
    run.command(Command(kind="resume"))
    run.command(Command(kind="save_now"))
    run.command(Command(kind="set_learning_rate", value=0.25))
    controls.poll()
    assert (controls.paused, controls.save, controls.learning_rate) == (False, True, 0.25)
    assert controls.rate_set
    run.command(Command(kind="set_learning_rate"))
    controls.poll()
    assert (controls.learning_rate, controls.rate_set) == (None, True)
    controls.go_on()
    run.command(Command(kind="stop"))
    with pytest.raises(Cancelled):
        controls.go_on()
    assert controls.stopping()


def test_a_signal_in_the_midst_of_a_poll_is_not_lost(run):
    controls = Controls(run.folder)

    def interrupted(wishes):
        controls.asked = True
        return wishes

    controls.broadcast = interrupted
    controls.poll()
    assert not controls.stop, "the others have not heard of it"
    controls.poll()
    assert controls.stop


def test_half_a_line_waits_for_its_end_and_nonsense_is_passed_over(run):
    controls, path = Controls(run.folder), run.folder / "control.jsonl"
    path.write_bytes(b'nonsense\n\xff\n{"kind": "explode"}\n{"kind": "set_learning_rate", "value": -1}\n{"kind": "pa')
    controls.poll()
    assert not controls.paused
    with open(path, "ab") as file:
        file.write(b'use"}\n')
    controls.poll()
    assert controls.paused
    assert (controls.learning_rate, controls.rate_set) == (None, False)
