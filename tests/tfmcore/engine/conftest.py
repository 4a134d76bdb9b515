"""An engine as a real child process, spoken to over its pipes."""

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tfmcore.messages import REPLIES, AnyReply, Arrays, Message, MessageDecoder, Request, write_message

SECONDS = 60


class Engine:
    """One engine; `ask` sends, `reply` waits for whatever comes next, `answer` for the final reply to a request.
    `prepared` is Python that its process runs first."""

    def __init__(self, prepared: str = "") -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        command = [sys.executable, "-m", "tfmcore", "engine"]
        if prepared:
            command[1:] = ["-c", f"{prepared}\nfrom tfmcore.engine import server\nserver.main()"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        self.replies: queue.Queue[tuple[AnyReply, Arrays]] = queue.Queue()
        self.last_id = 0
        self.errors = b""
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        decoder: MessageDecoder[AnyReply] = MessageDecoder(REPLIES)
        while data := os.read(self.process.stdout.fileno(), 2**20):
            for message in decoder.feed(data):
                self.replies.put(message)

    def _read_errors(self) -> None:
        while data := os.read(self.process.stderr.fileno(), 2**16):
            self.errors += data

    def ask(self, request: type[Request], panel: str = "", **fields: object) -> int:
        self.last_id += 1
        self.send(request(id=self.last_id, panel=panel, **fields))
        return self.last_id

    def send(self, message: Message) -> None:
        write_message(self.process.stdin, message)

    def send_bytes(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def reply(self) -> tuple[AnyReply, Arrays]:
        return self.replies.get(timeout=SECONDS)

    def until(self, request_id: int) -> list[tuple[AnyReply, Arrays]]:
        """Every reply to a request, the final one last; those to others are dropped."""
        found = []
        while not found or not found[-1][0].final:
            message = self.reply()
            if message[0].id == request_id:
                found.append(message)
        return found

    def answer(self, request: type[Request], **fields: object) -> tuple[AnyReply, Arrays]:
        return self.until(self.ask(request, **fields))[-1]

    def wait_until_it_computes(self, seconds: float = 0.3) -> None:
        """Until it has used so much of a core's time from now on."""
        process, deadline = psutil.Process(self.process.pid), time.monotonic() + SECONDS
        start = sum(process.cpu_times()[:2])
        while sum(process.cpu_times()[:2]) - start < seconds:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def pipe_has_ended(self) -> bool:
        self._threads[0].join(SECONDS)
        return not self._threads[0].is_alive()

    def close(self) -> None:
        self.process.kill()
        for thread in self._threads:
            thread.join()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


@pytest.fixture
def start_engine() -> Iterator[Callable[..., Engine]]:
    """Call it to start an engine; all end with the test."""
    started: list[Engine] = []

    def start(prepared: str = "") -> Engine:
        started.append(Engine(prepared))
        return started[-1]

    yield start
    for engine in started:
        engine.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One engine for all tests of a file, none of which may end it."""
    engine = Engine()
    yield engine
    assert engine.process.poll() is None, engine.errors.decode()
    engine.close()
