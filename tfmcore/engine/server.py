"""The engine's life: requests from stdin, one worker that answers them in turn, replies to the real stdout."""

import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

import psutil

from tfmcore.config import UserError
from tfmcore.data.progress import Cancelled as Interrupted
from tfmcore.engine.desk import Desk
from tfmcore.engine.faults import refusal
from tfmcore.engine.handlers import find_handler
from tfmcore.messages import (
    MAX_LINE_BYTES,
    REQUESTS,
    AnyRequest,
    Arrays,
    Cancel,
    Cancelled,
    MessageDecoder,
    Progress,
    Refused,
    Reply,
    Request,
    write_message,
)

PROGRESS_SECONDS = 0.05
PATIENCE_SECONDS = 15.0
"""For so long a request that was cancelled may go on, inside a library that cannot be interrupted."""
NICENESS = 5


class Server:
    """Answers requests one after the other. `accept` may be called from another thread while `work` runs."""

    def __init__(self, replies: BinaryIO) -> None:
        self._replies = replies
        self._desk = Desk()
        self._queue: deque[Request] = deque()
        self._running: Request | None = None
        self._unwanted = False
        self._changed = threading.Condition()
        self._writing = threading.Lock()

    def accept(self, line: bytes) -> None:
        """Take one line of stdin: queue the request it holds, or refuse it."""
        try:
            request = parse_request(line)
        except UserError as error:
            self._send(refusal(_id_of(line), "request", error))
            return
        with self._changed:
            if isinstance(request, Cancel):
                replaced = [queued for queued in self._queue if queued.id == request.id]
                self._unwanted |= self._running is not None and self._running.id == request.id
                if self._unwanted and self._running:
                    self._end_if_it_goes_on(self._running)
            else:
                replaced = [queued for queued in self._queue if _same_question(queued, request)]
                self._unwanted |= self._running is not None and _same_question(self._running, request)
                self._queue.append(request)
            for queued in replaced:
                self._queue.remove(queued)
            self._changed.notify()
        for queued in replaced:
            self._send(Cancelled(id=queued.id))

    def _end_if_it_goes_on(self, request: Request) -> None:
        """Whoever cancels waits for it: an expression in a foreign tokenizer can take hours, and hold the engine."""

        def look() -> None:
            with self._changed:
                if self._running is not request:
                    return
            sentence = "The engine could not be interrupted and was ended; the next request starts a new one."
            self._send(Refused(id=request.id, sentence=sentence))
            os._exit(1)

        timer = threading.Timer(PATIENCE_SECONDS, look)
        timer.daemon = True
        timer.start()

    def work(self) -> None:
        """Answer for ever. Whatever a request does, short of killing the process, ends that request only."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                request = self._running = self._queue.popleft()
                self._unwanted = False
            try:
                last = self._answer(request)
            except Interrupted:
                last = Cancelled(id=request.id)
            except BaseException as error:  # a panic of the tokenizers library is no Exception
                last = refusal(request.id, request.kind, error)  # type: ignore[attr-defined]
            with self._changed:
                self._running = None
            self._send(last[0], last[1]) if isinstance(last, tuple) else self._send(last)

    def _answer(self, request: Request) -> Reply | tuple[Reply, Arrays]:
        """Send all replies but the last, which is returned."""
        reported = 0.0

        def report(phase: str, done: int, total: int) -> None:
            nonlocal reported
            if self._unwanted:
                raise Interrupted
            if (now := time.monotonic()) - reported >= PROGRESS_SECONDS:
                reported = now
                self._send(Progress(id=request.id, phase=phase, done=done, total=total))

        for answer in find_handler(request.kind)(request, self._desk, report):  # type: ignore[attr-defined]
            reply, arrays = answer if isinstance(answer, tuple) else (answer, {})
            if reply.final:
                return reply, arrays
            if self._unwanted:
                raise Interrupted
            self._send(reply, arrays)
        raise RuntimeError("the handler gave no final reply")

    def _send(self, reply: Reply, arrays: Arrays | None = None) -> None:
        try:
            with self._writing:
                write_message(self._replies, reply, arrays)
        except OSError:  # nobody listens any more
            os._exit(0)


def parse_request(line: bytes) -> AnyRequest:
    """The request of one line; raises UserError for anything else."""
    if not line.endswith(b"\n"):
        raise UserError("a request without an end, or of more than 64 MB")
    for request, _ in MessageDecoder(REQUESTS).feed(line):
        return request
    raise UserError("a request carries no arrays")


def _id_of(line: bytes) -> int:
    """The id of a line that is no valid request, so that who asked hears of it; -1 where there is none."""
    try:
        found = json.loads(line).get("id", -1)
    except (ValueError, RecursionError, AttributeError):
        return -1
    return found if isinstance(found, int) else -1


def _same_question(first: Request, second: Request) -> bool:
    return type(first) is type(second) and first.panel == second.panel


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE_BYTES):
        yield line


def take_stdout() -> BinaryIO:
    """The real stdout for the protocol alone: whatever prints, in C too, prints to stderr from now on."""
    sys.stdout.flush()
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return replies


def take_stdin() -> BinaryIO:
    """The real stdin for the protocol alone: whatever else reads, a child process too, finds nothing there. On Windows
    libraries that ask about their stdin as they load would wait for the next request, as the thread that reads does
    (https://github.com/numpy/numpy/issues/24290)."""
    requests, nothing = os.fdopen(os.dup(0), "rb"), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return requests


def main() -> None:
    """Serve until stdin ends, then end at once, even in the middle of an answer: no window waits for it."""
    server, requests = Server(take_stdout()), take_stdin()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the window's terminal is the window's affair
    give_way()

    def read() -> None:
        for line in _lines(requests):
            server.accept(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    server.work()


def give_way() -> None:
    """A lower priority than the window's, so that typing stays smooth while this process computes."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICENESS)
