"""The wire form of messages: one JSON line each, with its `kind`.

Where a message carries arrays, the line lists each one's name, dtype and shape under `arrays`, and their raw bytes
(C order, little-endian) follow the line in that order.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Generic, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from tfmcore.config.problems import UserError
from tfmcore.messages.message import Message

MAX_LINE_BYTES = 64 * 2**20
MAX_ARRAY_BYTES = 2**31
Arrays = dict[str, np.ndarray[Any, Any]]
M = TypeVar("M", bound=Message)


def write_message(stream: BinaryIO, message: Message, arrays: Mapping[str, np.ndarray[Any, Any]] | None = None) -> None:
    """Write one message and its arrays, and flush."""
    body, payload = message.model_dump(mode="json"), []
    if arrays:
        payload = [np.ascontiguousarray(array) for array in arrays.values()]
        heads = zip(arrays, payload, strict=True)
        body["arrays"] = [{"name": name, "dtype": a.dtype.str, "shape": list(a.shape)} for name, a in heads]
    stream.write(json.dumps(body, ensure_ascii=False).encode() + b"\n")
    for array in payload:
        stream.write(array.data.cast("B") if array.size else b"")
    stream.flush()


class MessageDecoder(Generic[M]):
    """Turns the bytes of a pipe, in whatever pieces they come, into messages with their arrays."""

    def __init__(self, adapter: TypeAdapter[M]) -> None:
        self._adapter = adapter
        self._buffer = bytearray()
        self._line: bytes | None = None
        self._heads: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = []

    def feed(self, data: bytes) -> Iterator[tuple[M, Arrays]]:
        """Every message that `data` completes; raises UserError for bytes that are no message."""
        self._buffer += data
        while self._line is not None or b"\n" in self._buffer:
            if self._line is None:
                end = self._buffer.index(b"\n")
                head = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._heads = _array_heads(head)
                self._line = head  # only now: a line with wrong arrays is done with
            size = sum(_num_bytes(dtype, shape) for _, dtype, shape in self._heads)
            if len(self._buffer) < size:
                return
            line, payload, self._line = self._line, bytes(self._buffer[:size]), None
            del self._buffer[:size]
            yield self._message(line), _split(payload, self._heads)
        if len(self._buffer) > MAX_LINE_BYTES:
            raise UserError("a message of more than 64 MB without an end")

    def _message(self, line: bytes) -> M:
        try:
            return self._adapter.validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UserError(f"not a message: {where or 'line'}: {first['msg']}", str(error)) from None


def _array_heads(line: bytes) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    if b'"arrays"' not in line:
        return []
    try:
        heads = [(h["name"], np.dtype(h["dtype"]), tuple(h["shape"])) for h in json.loads(line).get("arrays", [])]
        if any(_num_bytes(dtype, shape) > MAX_ARRAY_BYTES or dtype.hasobject for _, dtype, shape in heads):
            raise ValueError("too large")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"a message with wrong arrays: {error}") from None
    return heads


def _num_bytes(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("negative shape")
    size = dtype.itemsize
    for n in shape:
        size *= n
    return size


def _split(payload: bytes, heads: list[tuple[str, np.dtype[Any], tuple[int, ...]]]) -> Arrays:
    arrays, start = {}, 0
    for name, dtype, shape in heads:
        end = start + _num_bytes(dtype, shape)
        arrays[name] = np.frombuffer(payload[start:end], dtype).reshape(shape)
        start = end
    return arrays
