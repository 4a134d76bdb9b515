"""Tokens one by one, and what they add to a text."""

from collections.abc import Iterable, Sequence

from tfmcore.config import UserError
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.messages import Candidate

BEFORE = 8
"""So many tokens decide how the next is written: whether after a space, or as the rest of a letter's bytes."""


def candidates(tokenizer: Tokenizer, likeliest: Iterable[tuple[int, float]]) -> list[Candidate]:
    """Tokens with their probabilities."""
    return [
        Candidate(id=id, text=tokenizer.tokens([id])[0], probability=probability, special=id in tokenizer.special_ids)
        for id, probability in likeliest
    ]


def continued(tokenizer: Tokenizer, before: Sequence[int], ids: Sequence[int]) -> str:
    """What `ids` add to the text of the tokens `before` them."""
    near = list(before[-BEFORE:])
    start, text = tokenizer.decode(near).rstrip("\N{REPLACEMENT CHARACTER}"), tokenizer.decode([*near, *ids])
    return text.removeprefix(start) if text.startswith(start) else tokenizer.decode(ids)


def check_ids(ids: Sequence[int], tokenizer: Tokenizer, vocab_size: int) -> None:
    """Raise UserError, naming token and position, where the tokenizer knows more tokens than the model."""
    for position, id in enumerate(ids):
        if not 0 <= id < vocab_size:
            raise UserError(
                f"token {tokenizer.tokens([id])[0]!r} at position {position} has the id {id}, but the model knows "
                f"{vocab_size} tokens: its tokenizer.json belongs to another model"
            )
