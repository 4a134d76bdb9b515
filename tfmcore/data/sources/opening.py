"""Opening a user's text file, packed or not: what is no text is refused with the byte where it goes wrong."""

import codecs
import gzip
import hashlib
import io
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tfmcore.config.problems import UserError
from tfmcore.data.progress import Progress

UTF_8 = "utf-8"
MAX_RATIO = 200
"""A .gz that unpacks to more than this many times its size (and 64 MB) is no text."""
RATIO_FREE_BYTES = 64 * 2**20
BLOCK_BYTES = 2**20
SETTLED_SECONDS = 2
"""A file that was written so short a time ago may be written again with the same time of change."""


@contextmanager
def open_text(path: Path, encoding: str = UTF_8) -> Iterator[io.TextIOWrapper]:
    """The text of a file or its .gz, without its byte order mark; line ends come as they are.

    Raises UserError: while opening for what cannot be opened, while reading for what is no text of that encoding.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a file")
    try:
        with open(path, "rb") as packed:
            file = gzip.GzipFile(fileobj=packed) if path.suffix.lower() == ".gz" else packed
            buffered = io.BufferedReader(_Checked(path, file, packed, encoding), BLOCK_BYTES)
            with io.TextIOWrapper(buffered, "utf-8-sig" if encoding == UTF_8 else encoding, newline="") as text:
                yield text
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not a complete .gz file: {error}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


class _Checked(io.RawIOBase):
    """The bytes of a file, each block checked before it is handed on."""

    def __init__(self, path: Path, file: BinaryIO | gzip.GzipFile, packed: BinaryIO, encoding: str) -> None:
        self.path, self.file, self.packed, self.encoding = path, file, packed, encoding
        self.position = 0
        self.decoder = codecs.getincrementaldecoder(encoding)()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self.file.read(len(buffer))
        self._check(block)
        self.position += len(block)
        if self.position > max(RATIO_FREE_BYTES, MAX_RATIO * self.packed.tell()):
            raise UserError(f"{self.path} unpacks to more than {MAX_RATIO} times its size: it is not text")
        buffer[: len(block)] = block
        return len(block)

    def _check(self, block: bytes) -> None:
        if self.encoding != "utf-16":
            if self.position == 0 and block[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                raise self._refused(0, "its byte order mark is that of UTF-16", "utf-16")
            if (nul := block.find(0)) >= 0:
                raise self._refused(self.position + nul, "it contains a zero byte, as no text does", "")
        pending = len(self.decoder.getstate()[0])
        try:
            self.decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            at = self.position - pending + error.start
            reason = f"byte 0x{error.object[error.start]:02x} starts no character"
            raise self._refused(at, reason, self._likely(block)) from None

    def _likely(self, block: bytes) -> str:
        """What a text in a Western language may be, if it is not what it was taken for."""
        if self.encoding != UTF_8:
            return UTF_8
        try:
            block.decode("cp1252")
        except UnicodeDecodeError:
            return "latin-1"
        return "cp1252"

    def _refused(self, at: int, reason: str, likely: str) -> UserError:
        advice = f": set data.encoding, perhaps to {likely}" if likely else ""
        sentence = f"{self.path} is not {self.encoding.upper()} text (byte {at}: {reason}){advice}"
        return UserError(sentence, fix={"data.encoding": likely} if likely else None)


_digests: dict[tuple[str, int, int, int], str] = {}
"""By absolute path, size, time of the last change and inode."""


def sha256_of(path: Path, progress: Progress) -> str:
    """The digest of a file's bytes, remembered while the file stays; raises UserError where it cannot be read."""
    digest, done = hashlib.sha256(), 0
    try:
        facts = path.stat()
        key = (str(path.absolute()), facts.st_size, facts.st_mtime_ns, facts.st_ino)
        if key in _digests:
            return _digests[key]
        with open(path, "rb") as file:
            while block := file.read(4 * BLOCK_BYTES):
                digest.update(block)
                progress("reading", done := done + len(block), facts.st_size)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if time.time() - facts.st_mtime > SETTLED_SECONDS and done == facts.st_size:
        _digests[key] = digest.hexdigest()
    return digest.hexdigest()
