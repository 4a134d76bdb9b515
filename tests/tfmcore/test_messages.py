"""Every message survives the wire, and what is no message does no harm."""

import io
import math
import types
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tfmcore import messages
from tfmcore.config import UserError
from tfmcore.messages import (
    EVENTS,
    REPLIES,
    REQUESTS,
    Command,
    Generate,
    MessageDecoder,
    Stepped,
    ThumbnailsDrawn,
    Warned,
    write_message,
)

FAMILIES = [(messages.AnyEvent, EVENTS), (messages.AnyRequest, REQUESTS), (messages.AnyReply, REPLIES)]


def members(union):
    return get_args(get_args(union)[0])


KINDS = [kind for union, _ in FAMILIES for kind in members(union)]


def example(annotation):
    """Some value of a field's type."""
    if isinstance(annotation, types.UnionType):
        return example(get_args(annotation)[0])
    origin, inner = getattr(annotation, "__origin__", None), get_args(annotation)
    if origin is list:
        return [example(inner[0])]
    if origin is dict:
        return {example(inner[0]): example(inner[1])}
    if origin is tuple:
        return tuple(example(part) for part in inner)
    if inner:  # a Literal
        return inner[0]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation(**{name: example(info.annotation) for name, info in annotation.model_fields.items()})
    return {int: 5, float: 0.5, str: "Zür\nich 🙂", bool: True}.get(annotation, "anything")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_message_survives_the_wire(kind):
    message = example(kind)
    line = message.model_dump_json()
    assert "\n" not in line
    adapter = next(adapter for union, adapter in FAMILIES if kind in members(union))
    assert adapter.validate_json(line) == message


def test_every_kind_is_its_own():
    kinds = [kind.model_fields["kind"].default for kind in KINDS]
    assert len(set(kinds)) == len(kinds)


def test_events_keep_nan_and_infinity():
    for value in (math.inf, -math.inf):
        event = Stepped(step=1, loss=value, learning_rate=1, gradient_norm=1, tokens=1, seconds=1)
        assert EVENTS.validate_json(event.model_dump_json()).loss == value
    event = Stepped(step=1, loss=math.nan, learning_rate=1, gradient_norm=1, tokens=1, seconds=1)
    assert math.isnan(EVENTS.validate_json(event.model_dump_json()).loss)


def test_fields_of_a_newer_version_are_passed_over():
    assert EVENTS.validate_json('{"kind": "warned", "sentence": "x", "colour": "red", "time": 1}') == Warned(
        sentence="x", time=1
    )


@pytest.mark.parametrize("value", [0.0, -1.0, 101.0, math.nan])
def test_a_command_refuses_an_impossible_learning_rate(value):
    with pytest.raises(ValueError, match="value"):
        Command(kind="set_learning_rate", value=value)


def wire(message, arrays=None) -> bytes:
    stream = io.BytesIO()
    write_message(stream, message, arrays or {})
    return stream.getvalue()


ARRAYS = {
    "thumbnails": np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2),
    "weights": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    "nothing": np.zeros((0, 4), np.int64),
}


@given(st.lists(st.integers(1, 40), max_size=60))
def test_arrays_arrive_whole_in_whatever_pieces(sizes):
    data = wire(ThumbnailsDrawn(id=1), ARRAYS) + wire(ThumbnailsDrawn(id=2))
    decoder, came = MessageDecoder(REPLIES), []
    for size in [*sizes, len(data)]:
        came += decoder.feed(data[:size])
        data = data[size:]
    assert [message.id for message, _ in came] == [1, 2]
    arrays = came[0][1]
    assert came[1][1] == {}
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_arrays_are_sent_as_they_look_not_as_they_lie():
    turned = np.arange(6, dtype=">i4").reshape(2, 3).T[::-1]
    [(_, arrays)] = MessageDecoder(REPLIES).feed(wire(ThumbnailsDrawn(id=1), {"a": turned}))
    np.testing.assert_array_equal(arrays["a"], turned)


WRONG = [
    b"\n",
    b"hello\n",
    b"[1]\n",
    b'{"kind": "no such thing"}\n',
    b'{"kind": "generate", "id": 1, "model": "m", "prompt": "p", "temperature": -1}\n',
    b'{"kind": "generate", "id": "one"}\n',
    b'{"arrays": [{"name": "a", "dtype": "O", "shape": [1]}]}\n',
    b'{"arrays": [{"name": "a", "dtype": "<f4", "shape": [-1]}]}\n',
    b'{"arrays": [{"name": "a", "dtype": "<f4", "shape": [1000000000000]}]}\n',
    b'{"arrays": [{"name": "a", "dtype": "nonsense", "shape": [1]}]}\n',
    b'{"arrays": 5}\n',
    b"\xff\xfe\n",
    b"[" * 100_000 + b"\n",
]


@pytest.mark.parametrize("line", WRONG)
def test_what_is_no_message_is_said_in_a_sentence_and_passed_over(line):
    decoder = MessageDecoder(REQUESTS)
    with pytest.raises(UserError) as raised:
        list(decoder.feed(line))
    assert "\n" not in str(raised.value)
    good = Generate(id=3, model="m", prompt="p")
    assert [message for message, _ in decoder.feed(wire(good))] == [good]


def test_a_line_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(messages.wire, "MAX_LINE_BYTES", 1000)
    with pytest.raises(UserError, match="without an end"):
        list(MessageDecoder(REQUESTS).feed(b"x" * 1001))
