"""The engine's life over its pipes: order, cancelling, replacing, garbage, and how it ends."""

import json
import math
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from tfmcore.config import UserError
from tfmcore.engine import server as server_module
from tfmcore.engine.server import NICENESS, Server, parse_request
from tfmcore.messages import (
    REPLIES,
    Cancel,
    Cancelled,
    Describe,
    Described,
    Generate,
    Generated,
    MessageDecoder,
    Refused,
    Token,
)

LONG = {"prompt": "The", "max_new_tokens": 100_000, "temperature": 0}


def test_tokens_stream_in_order_and_the_whole_comes_last(engine, model_folder):
    request = engine.ask(
        Generate, model=str(model_folder("decoder")), prompt="The quick", max_new_tokens=30, seed=3, alternatives=4
    )
    *tokens, (whole, _) = engine.until(request)
    tokens = [token for token, _ in tokens]
    assert isinstance(whole, Generated)
    assert all(isinstance(token, Token) for token in tokens)
    assert [token.index for token in tokens] == list(range(whole.num_tokens))
    assert "".join(token.token.text for token in tokens if not token.token.special) == whole.text
    assert whole.prompt_tokens == list("The quick")
    for token in tokens:
        probabilities = [candidate.probability for candidate in token.alternatives]
        assert len(probabilities) == 4
        assert probabilities == sorted(probabilities, reverse=True)


def test_a_running_answer_is_cancelled_and_the_engine_goes_on(engine, model_folder):
    request = engine.ask(Generate, model=str(model_folder("decoder")), **LONG)
    assert isinstance(engine.reply()[0], Token)
    engine.send(Cancel(id=request))
    assert isinstance(engine.until(request)[-1][0], Cancelled)
    assert isinstance(engine.answer(Describe, model=str(model_folder("decoder")))[0], Described)


def test_a_queued_request_is_cancelled_before_it_begins(engine, model_folder):
    model = str(model_folder("decoder"))
    running = engine.ask(Generate, model=model, **LONG)
    queued = engine.ask(Describe, model=model)
    engine.send(Cancel(id=queued))
    engine.send(Cancel(id=9_999))  # unknown: nothing happens
    assert [type(reply) for reply, _ in engine.until(queued)] == [Cancelled]
    engine.send(Cancel(id=running))
    engine.until(running)


def test_a_newer_request_of_the_same_panel_takes_the_place_of_older_ones(engine, model_folder):
    model = str(model_folder("decoder"))
    running = engine.ask(Generate, panel="use", model=model, **LONG)
    assert isinstance(engine.reply()[0], Token)
    other_kind = engine.ask(Describe, panel="use", model=model)
    other_panel = engine.ask(Generate, panel="compare", model=model, prompt="fox", max_new_tokens=3)
    queued = engine.ask(Generate, panel="use", model=model, prompt="dog", max_new_tokens=3)
    newest = engine.ask(Generate, panel="use", model=model, prompt="lazy", max_new_tokens=3)
    last = {}
    while newest not in last:
        reply, _ = engine.reply()
        if reply.final:
            last[reply.id] = type(reply)
    assert last == {
        running: Cancelled, queued: Cancelled, other_kind: Described, other_panel: Generated, newest: Generated,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "id"),
    [
        (b"\n", -1),
        (b"garbage\n", -1),
        (b"\xff\xfe\x00\n", -1),
        (b"[1, 2]\n", -1),
        (b"[" * 100_000 + b"\n", -1),
        (b'{"kind": "describe"}\n', -1),
        (b'{"kind": "dance", "id": 7001}\n', 7001),
        (b'{"kind": "generate", "id": 7002, "model": "m", "prompt": "p", "temperature": -1}\n', 7002),
        (
            b'{"kind": "describe", "id": 7003, "model": "m", "arrays": [{"name": "", "dtype": "<f4", "shape": [9]}]}\n',
            7003,
        ),
        (b'{"kind": "describe", "id": "x", "model": "", "arrays": [{"name": "", "dtype": "|O", "shape": [9]}]}\n', -1),
    ],
)
def test_garbage_is_refused_and_the_engine_goes_on(engine, model_folder, line, id):
    engine.send_bytes(line)
    reply, _ = engine.reply()
    assert isinstance(reply, Refused)
    assert reply.id == id
    assert reply.sentence
    assert isinstance(engine.answer(Describe, model=str(model_folder("decoder")))[0], Described)


def test_a_line_without_an_end_is_refused(monkeypatch):
    with pytest.raises(UserError, match="without an end"):
        parse_request(b'{"kind": "cancel", "id": 1}')


def test_the_end_of_stdin_ends_the_engine_in_mid_work(start_engine, model_folder):
    engine = start_engine()
    engine.ask(Generate, model=str(model_folder("decoder")), **LONG)
    assert isinstance(engine.reply()[0], Token)
    engine.process.stdin.close()
    assert engine.process.wait(timeout=60) == 0


def test_a_reader_that_is_gone_ends_the_engine(start_engine, model_folder):
    command = [sys.executable, "-m", "tfmcore", "engine"]
    request = Generate(id=1, model=str(model_folder("decoder")), **LONG).model_dump_json().encode() + b"\n"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        child.stdin.write(request)
        child.stdin.flush()
        child.stdout.readline()
        child.stdout.close()
        assert child.wait(timeout=60) == 0


@pytest.mark.fault(38)
def test_a_kill_in_mid_answer_ends_the_pipe(start_engine, model_folder):
    engine = start_engine()
    engine.ask(Generate, model=str(model_folder("decoder")), **LONG)
    assert isinstance(engine.reply()[0], Token)
    engine.process.kill()
    assert engine.process.wait(timeout=60) == -9
    assert engine.pipe_has_ended()


def test_the_engine_gives_way(engine, model_folder):
    engine.answer(Describe, model=str(model_folder("decoder")))
    mine, nice = psutil.Process().nice(), psutil.Process(engine.process.pid).nice()
    assert nice == (psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else min(19, mine + NICENESS))


def test_stdout_is_the_protocol_alone():
    code = """
import os
from tfmcore.engine.server import take_stdout
replies = take_stdout()
print("from Python", flush=True)
os.write(1, b"from C")
replies.write(b"protocol")
replies.flush()
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert child.stdout == b"protocol"
    assert b"from Python" in child.stderr
    assert b"from C" in child.stderr


def test_what_else_reads_while_a_thread_waits_for_a_request_neither_waits_nor_takes_it():
    code = """
import os, sys, threading
from tfmcore.engine import server
server.Server.accept = lambda self, line: print(line, file=sys.stderr, flush=True)
server.Server.work = lambda self: (print(os.read(0, 99), file=sys.stderr, flush=True), threading.Event().wait(60))
server.main()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stderr.readline() == b"b''\n"
        child.stdin.write(b"a request\n")
        child.stdin.close()
        assert child.stderr.readline() == b"b'a request\\n'\n"
        assert child.wait(timeout=60) == 0


class Panic(BaseException):
    """As the one of a native library, which is no Exception."""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UserError("say what is wrong", "more"), "say what is wrong"),
        (ValueError("odd"), "“describe” failed unexpectedly: ValueError: odd"),
        (Panic("in the library"), "“describe” failed unexpectedly: Panic: in the library"),
        (SystemExit(3), "“describe” failed unexpectedly: SystemExit: 3"),
        (MemoryError("Unable to allocate 7.28 TiB for an array with shape (9,)"), "could not allocate 7.28 TiB"),
        (RuntimeError("can't allocate memory: you tried to allocate 40000000000 bytes."), "allocate 37.25 GiB"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0"), "could not allocate 2.00 GiB"),
    ],
)  # fmt: skip
def test_whatever_a_request_raises_ends_that_request_only(monkeypatch, error, sentence):
    def fails(request, desk, report):
        raise error
        yield

    monkeypatch.setattr(server_module, "find_handler", lambda kind: fails)
    read, write = os.pipe()
    with os.fdopen(write, "wb") as replies, os.fdopen(read, "rb", buffering=0) as stream:
        server = Server(replies)
        threading.Thread(target=server.work, daemon=True).start()
        decoder = MessageDecoder(REPLIES)
        for id in (1, 2):
            server.accept(json.dumps({"kind": "describe", "id": id, "model": "m"}).encode() + b"\n")
            [(reply, _)] = decoder.feed(stream.read(2**20))
            assert isinstance(reply, Refused)
            assert reply.id == id
            assert sentence in reply.sentence
            assert reply.details
            assert "\n" not in reply.sentence


def test_idle_engines_do_not_compute(engine, model_folder):
    engine.answer(Describe, model=str(model_folder("decoder")))
    process, deadline = psutil.Process(engine.process.pid), time.monotonic() + 60
    used = math.inf
    while used > 0.1:  # of half a second; what it was still at, it ends
        assert time.monotonic() < deadline
        before = sum(process.cpu_times()[:2])
        time.sleep(0.5)
        used = sum(process.cpu_times()[:2]) - before
