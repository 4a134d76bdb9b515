"""The window's end of an engine: starts the process when it is first asked, hears its death, and never waits for it."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import ClassVar

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

from app.titles import titled
from tfmcore.config import UserError
from tfmcore.messages import REPLIES, AnyReply, Arrays, Cancel, Message, MessageDecoder, Refused, Request, write_message

OnReply = Callable[[AnyReply, Arrays], None]


@dataclass
class _Asked:
    request: Request
    on_reply: OnReply


class EngineClient(QObject):
    """One engine process. `ask` sends a request and calls back with each reply, in this thread, the final one last.

    Its end is said once: to whoever waits for an answer as Refused, and by `died` only where nobody does.
    """

    busy_changed = Signal(bool)
    died = Signal(str)
    program: ClassVar[list[str]] = [sys.executable, "-m", "tfmcore", "engine"]

    def __init__(self, name: str, parent: QObject | None = None, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._environment = dict(environment or {})
        self._asked: dict[int, _Asked] = {}
        self._last_id = 0
        self._errors = ""
        self._process: QProcess | None = None
        self._closed = False
        self._cancelled: set[int] = set()
        self._told = False

    @property
    def busy(self) -> bool:
        return bool(self._asked)

    @property
    def process_id(self) -> int:
        """0 while no engine runs."""
        return self._process.processId() if self._process else 0

    def ask(self, request: type[Request], on_reply: OnReply, *, panel: str = "", **fields: object) -> int:
        """Send `request(**fields)`; returns its id, for `cancel`. After `close` nothing is sent and nothing answers."""
        self._last_id += 1
        message = request(id=self._last_id, panel=panel, **fields)
        if self._closed:
            return message.id
        was_busy = self.busy
        self._asked[message.id] = _Asked(message, on_reply)
        self._write(message)
        if not was_busy:
            self.busy_changed.emit(True)
        return message.id

    def cancel(self, request_id: int) -> None:
        """The request then ends with Cancelled; nothing happens if it has ended."""
        if request_id in self._asked and self._process:
            self._cancelled.add(request_id)
            self._write(Cancel(id=request_id))

    def close(self) -> None:
        """End the process for good; requests in flight are forgotten."""
        self._closed = True
        self._asked.clear()
        if process := self._process:
            self._process = None
            process.finished.disconnect()
            process.errorOccurred.disconnect()
            process.setParent(None)
            process.kill()
            process.waitForFinished(1000)

    def _write(self, message: Message) -> None:
        process = self._process or self._start()
        stream = BytesIO()
        write_message(stream, message)
        process.write(stream.getvalue())

    def _start(self) -> QProcess:
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("OMP_WAIT_POLICY", environment.value("OMP_WAIT_POLICY", "PASSIVE"))
        for variable, value in self._environment.items():
            environment.insert(variable, value)
        process = QProcess(self)
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._on_output)
        process.readyReadStandardError.connect(self._on_error_output)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        self._process, self._errors = process, ""
        self._decoder = MessageDecoder(REPLIES)
        process.start(self.program[0], self.program[1:])
        return process

    def _on_output(self) -> None:
        if not self._process:
            return
        try:
            for reply, arrays in self._decoder.feed(bytes(self._process.readAllStandardOutput().data())):
                self._deliver(reply, arrays)
        except UserError as error:
            self._errors += str(error)
            self._process.kill()

    def _deliver(self, reply: AnyReply, arrays: Arrays) -> None:
        asked = self._asked.get(reply.id)
        if not asked:
            return
        if reply.final:
            del self._asked[reply.id]
            self._told = reply.id in self._cancelled and isinstance(reply, Refused)  # it ends, and has said so
            self._cancelled.discard(reply.id)
        if isinstance(reply, Refused):
            reply = reply.model_copy(update={"sentence": titled(reply.sentence)})
        asked.on_reply(reply, arrays)
        if not self._asked:
            self.busy_changed.emit(False)

    def _on_error_output(self) -> None:
        if self._process:
            text = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
            self._errors = (self._errors + text)[-20_000:]

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end("The engine could not be started.")

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._on_error_output()
        how = "was killed" if status == QProcess.ExitStatus.CrashExit else f"ended with code {code}"
        self._end(f"The engine {how}; the next request starts a new one.")

    def _end(self, sentence: str) -> None:
        """Forget the process; whoever waits for an answer is told, else everybody."""
        if self._process:
            self._process.deleteLater()
            self._process = None
        waiting, self._asked = self._asked, {}
        for asked in waiting.values():
            asked.on_reply(Refused(id=asked.request.id, sentence=sentence, details=self._errors), {})
        if waiting:
            self.busy_changed.emit(False)
        elif not self._told:
            self.died.emit(sentence)
        self._told = False
        self._cancelled.clear()
