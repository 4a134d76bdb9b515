"""Opening a user's text file, packed or not: what is not UTF-8 text is refused with the byte where it goes wrong."""

import codecs
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tfmcore.config.problems import UserError
from tfmcore.data.progress import Progress

MAX_RATIO = 200
"""A .gz that unpacks to more than this many times its size (and 64 MB) is no text."""
RATIO_FREE_BYTES = 64 * 2**20
BLOCK_BYTES = 2**20


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """The text of a UTF-8 file or its .gz, without its byte order mark; line ends come as they are.

    Raises UserError: while opening for what cannot be opened, while reading for what is no UTF-8 text.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a file")
    try:
        with open(path, "rb") as packed:
            file = gzip.GzipFile(fileobj=packed) if path.suffix.lower() == ".gz" else packed
            buffered = io.BufferedReader(_Checked(path, file, packed), BLOCK_BYTES)
            with io.TextIOWrapper(buffered, encoding="utf-8-sig", newline="") as text:
                yield text
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not a whole .gz file: {error}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


class _Checked(io.RawIOBase):
    """The bytes of a file, each block checked before it is handed on."""

    def __init__(self, path: Path, file: BinaryIO | gzip.GzipFile, packed: BinaryIO) -> None:
        self.path, self.file, self.packed = path, file, packed
        self.position = 0
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self.file.read(len(buffer))
        self._check(block)
        self.position += len(block)
        if self.position > max(RATIO_FREE_BYTES, MAX_RATIO * self.packed.tell()):
            raise UserError(f"{self.path} unpacks to more than {MAX_RATIO} times its size: that is no text")
        buffer[: len(block)] = block
        return len(block)

    def _check(self, block: bytes) -> None:
        wide = "utf-16" if self.position == 0 and block[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else ""
        if wide or (nul := block.find(0)) >= 0:
            at = 0 if wide else self.position + nul
            reason = "its byte order mark says UTF-16" if wide else "it holds a zero byte, as no text does"
            raise self._refused(at, reason, wide)
        pending = len(self.decoder.getstate()[0])
        try:
            self.decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            at = self.position - pending + error.start
            raise self._refused(at, f"byte 0x{error.object[error.start]:02x} begins no character", "cp1252") from None

    def _refused(self, at: int, reason: str, encoding: str) -> UserError:
        advice = f"; it may be {encoding}: convert it, as `iconv -f {encoding} -t utf-8` does" if encoding else ""
        return UserError(f"{self.path} is not UTF-8 text (byte {at}: {reason}){advice}")


def sha256_of(path: Path, progress: Progress) -> str:
    """The digest of a file's bytes; raises UserError where it cannot be read."""
    digest, done = hashlib.sha256(), 0
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            while block := file.read(4 * BLOCK_BYTES):
                digest.update(block)
                progress("reading", done := done + len(block), size)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    return digest.hexdigest()
