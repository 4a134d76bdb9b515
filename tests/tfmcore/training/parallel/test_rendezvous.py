"""Where the machines of a run meet, here by names that one machine takes in turn."""

import socket
from contextlib import ExitStack, contextmanager

import pytest

from tfmcore.config import Config, UserError
from tfmcore.messages import Command
from tfmcore.runs import Exit, Run, RunState, own_status
from tfmcore.training.parallel.rendezvous import last_word, rendezvous


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.open(tmp_path / "été 训练 🙂", Config())


@pytest.fixture
def at(run, monkeypatch):
    """Be at the rendezvous of two machines, as one of that name."""

    @contextmanager
    def at(host: str):
        monkeypatch.setattr(socket, "gethostname", lambda: host)
        with rendezvous(run, 2) as life:
            yield life

    return at


def end(run: Run) -> None:
    Exit(state=RunState.STOPPED, step=3).write(run.folder / "exit.json")


def test_machines_meet_in_one_life_and_no_more_than_there_are(run, at):
    with at("anna") as life:
        assert run.state() is RunState.PREPARING
        assert "waiting for the other machines" in run.status().phase
        run.command(Command(kind="pause"))
        with at("berta") as found:
            assert found == life
            assert run.status().host == "anna"
            assert (run.folder / "control.jsonl").exists(), "what was asked since is for this life"
            with pytest.raises(UserError, match="has a trainer already"), at("clara"):
                pass


def test_after_the_end_one_that_lingers_is_not_met_and_has_no_say(run, at):
    with at("anna") as life:
        with last_word(run, life) as ours:
            assert ours
        run.command(Command(kind="stop"))
        end(run)
        with at("berta") as following:
            assert following != life
            assert not (run.folder / "control.jsonl").exists(), "what was asked of the life before is void"
            assert run.exit() is None
            with last_word(run, life) as ours:
                assert not ours
            with last_word(run, following) as ours:
                assert ours
            end(run)
            with last_word(run, following) as ours:
                assert not ours


def test_those_that_were_killed_are_not_waited_for(run, at):
    with at("anna") as life:
        run.command(Command(kind="stop"))
    with at("berta") as following, at("anna") as found:  # though anna's heart beat a moment ago
        assert found == following != life
        assert not (run.folder / "control.jsonl").exists()


def test_one_that_was_killed_comes_back_to_those_that_remain(run, at):
    with ExitStack() as anna:
        life = anna.enter_context(at("anna"))
        with at("berta") as found:
            assert found == life
            anna.close()
            with at("anna") as found:
                assert found == life


def test_a_run_that_trains_on_one_machine_is_left_alone(run, at):
    own_status(RunState.RUNNING, 1).write(run.folder / "status.json")
    run.command(Command(kind="pause"))
    with pytest.raises(UserError, match="has a trainer already"), at("anna"):
        pass
    assert (run.folder / "control.jsonl").exists()
