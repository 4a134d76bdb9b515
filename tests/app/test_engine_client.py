"""The window's end of the engine, against child processes: answers, replacement, death and the next one."""

import os
import signal
import sys
from collections.abc import Iterator

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.engine_client import EngineClient
from tfmcore.messages import AnyReply, Arrays, Describe, PreviewData, Refused

STAND_IN = """
import json, sys, time
for line in sys.stdin:
    request = json.loads(line)
    if request["kind"] == "cancel" and panel == "deaf":
        print(json.dumps({"kind": "refused", "id": request["id"], "sentence": "It was ended."}), flush=True)
        sys.exit(1)
    elif request["kind"] == "cancel":
        print(json.dumps({"kind": "cancelled", "id": request["id"]}), flush=True)
    elif (panel := request["panel"]) in ("slow", "deaf"):
        print("thinking", file=sys.stderr, flush=True)
    elif request["panel"] == "garbage":
        print("Hello, I am a library that prints", flush=True)
    else:
        print(json.dumps({"kind": "refused", "id": request["id"], "sentence": request["panel"]}), flush=True)
"""
"""Answers each request with its panel; never, where that is "slow", and "deaf" ends it when it is cancelled."""


@pytest.fixture
def engine(qtbot: QtBot) -> Iterator[EngineClient]:
    client = EngineClient("engine")
    yield client
    client.close()


@pytest.fixture
def quick(engine: EngineClient, monkeypatch: pytest.MonkeyPatch) -> EngineClient:
    """A client of an engine that starts at once and knows nothing."""
    monkeypatch.setattr(EngineClient, "program", [sys.executable, "-c", STAND_IN])
    return engine


def ask(engine: EngineClient, replies: list[AnyReply], panel: str) -> int:
    return engine.ask(Describe, lambda reply, _: replies.append(reply), panel=panel, model="m")


def preview(engine: EngineClient, replies: list[AnyReply]) -> int:
    def on_reply(reply: AnyReply, _arrays: Arrays) -> None:
        replies.append(reply)

    return engine.ask(PreviewData, on_reply, panel="test", config={"data": {"source": "python_manual"}})


def test_no_process_is_started_before_it_is_asked(engine: EngineClient) -> None:
    assert engine.process_id == 0
    assert not engine.busy


def test_the_real_engine_answers_and_rests(engine: EngineClient, qtbot: QtBot) -> None:
    replies: list[AnyReply] = []
    preview(engine, replies)
    assert engine.busy
    engine.ask(Describe, lambda reply, _: replies.append(reply), model="/no/such/folder")
    qtbot.waitUntil(lambda: not engine.busy, timeout=60_000)
    kinds = {reply.kind: reply for reply in replies}
    assert kinds.keys() >= {"data_previewed", "refused"}
    assert "\n" not in kinds["refused"].sentence


def test_several_requests_are_answered_each_to_its_asker(quick: EngineClient, qtbot: QtBot) -> None:
    replies: list[AnyReply] = []
    busy: list[bool] = []
    quick.busy_changed.connect(busy.append)
    ids = [ask(quick, replies, f"data.path {number}") for number in range(5)]
    qtbot.waitUntil(lambda: not quick.busy)
    assert [(reply.id, reply.sentence) for reply in replies] == [(id, f"“File” {n}") for n, id in enumerate(ids)]
    assert busy == [True, False]


def test_a_cancelled_request_ends(quick: EngineClient, qtbot: QtBot) -> None:
    replies: list[AnyReply] = []
    number = ask(quick, replies, "slow")
    quick.cancel(number)
    quick.cancel(999)
    qtbot.waitUntil(lambda: not quick.busy)
    assert [reply.kind for reply in replies] == ["cancelled"]


@pytest.mark.fault(38)
def test_a_killed_engine_is_said_once_and_the_next_request_starts_a_new_one(quick: EngineClient, qtbot: QtBot) -> None:
    replies: list[AnyReply] = []
    died: list[str] = []
    quick.died.connect(died.append)
    ask(quick, replies, "slow")
    first = quick.process_id
    os.kill(first, signal.SIGKILL)
    qtbot.waitUntil(lambda: not quick.busy)
    assert isinstance(replies[-1], Refused)
    assert "killed" in replies[-1].sentence
    assert died == [], "who waits has been told"
    ask(quick, replies, "again")
    qtbot.waitUntil(lambda: not quick.busy)
    assert replies[-1].sentence == "again"
    assert quick.process_id != first
    os.kill(quick.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: bool(died))
    assert len(died) == 1
    assert len(replies) == 2


def test_a_cancel_that_ends_the_engine_is_said_once(quick: EngineClient, qtbot: QtBot) -> None:
    replies: list[AnyReply] = []
    died: list[str] = []
    quick.died.connect(died.append)
    quick.cancel(ask(quick, replies, "deaf"))
    qtbot.waitUntil(lambda: quick.process_id == 0)
    assert [reply.sentence for reply in replies] == ["It was ended."]
    assert died == []
    ask(quick, replies, "again")
    qtbot.waitUntil(lambda: not quick.busy)
    os.kill(quick.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: bool(died))


def test_words_that_are_no_message_end_the_engine_with_a_sentence(quick: EngineClient, qtbot: QtBot) -> None:
    replies: list[AnyReply] = []
    ask(quick, replies, "garbage")
    qtbot.waitUntil(lambda: not quick.busy)
    assert isinstance(replies[-1], Refused)
    assert replies[-1].details


def test_an_engine_that_cannot_be_started_is_said(
    engine: EngineClient, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EngineClient, "program", ["/no/such/python"])
    replies: list[AnyReply] = []
    ask(engine, replies, "x")
    qtbot.waitUntil(lambda: bool(replies))
    assert "could not be started" in replies[0].sentence
    assert not engine.busy


def test_closing_in_mid_answer_ends_the_process_and_nothing_starts_another(
    quick: EngineClient, qtbot: QtBot, capfd: pytest.CaptureFixture[str]
) -> None:
    replies: list[AnyReply] = []
    ask(quick, replies, "slow")
    process_id = quick.process_id
    quick.close()
    assert not psutil.pid_exists(process_id)
    ask(quick, replies, "after the end")
    quick.close()
    assert (quick.process_id, quick.busy, replies) == (0, False, [])
    assert "Destroyed" not in capfd.readouterr().err
