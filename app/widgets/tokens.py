"""How tokens are written wherever they are shown: whitespace visible, special tokens told apart, long ones elided."""

from __future__ import annotations

import re
import unicodedata

_SPECIAL = re.compile(r"\[[A-Za-z0-9_]+\]|<(?!0x)[^<>\s]+>|<\|[^<>\s]+\|>")
_WHITESPACE = str.maketrans({" ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥", "\u00a0": "⍽", "\u3000": "␣␣"})
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def visible(token: str) -> str:
    """The token with its whitespace and control characters as signs: " the\\n" → "␣the↵"; "" → "∅"."""
    text = token.translate(_WHITESPACE)
    if not text.isprintable():
        text = "".join(c if c.isprintable() or unicodedata.category(c) == "Cf" else f"\\x{ord(c):02x}" for c in text)
    if text and unicodedata.combining(text[0]):
        text = "◌" + text  # a lone accent needs something to sit on
    return text or "∅"


def is_special(token: str) -> bool:
    """Whether the token looks like one that stands for no text: "[CLS]", "<pad>", "<|endoftext|>"."""
    return _SPECIAL.fullmatch(token) is not None


def is_newline(token: str) -> bool:
    """Whether the token ends a line (a byte-fallback line feed too)."""
    byte = _BYTE.fullmatch(token)
    return token.endswith("\n") or (byte is not None and int(byte[1], 16) == 0x0A)
