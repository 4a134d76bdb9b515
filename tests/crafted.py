"""Parts of a tokenizer.json that were made to do harm: each in the place of the same part of an honest one."""

import json
from pathlib import Path
from typing import Any


def searching(expression: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}


PREFIXED = {
    "type": "BPE",
    "continuing_subword_prefix": "##",
    "vocab": {"a": 0, "b": 1, "ab": 2},
    "merges": [["a", "b"]],
}
CRAFTED: dict[str, dict[str, Any]] = {
    "a map of characters that is none": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
    "a map that points beyond": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8AAAA="}},
    "pieces of no length": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
    "more to strip than there is": {"decoder": {"type": "Strip", "content": "a", "start": 5, "stop": 5}},
    "a prefix longer than the tokens": {"model": PREFIXED},
    "an expression that doubles with each letter": {"pre_tokenizer": searching("(a+)+$")},
}
"""With each of these the library panics, past `except Exception`: as it loads, reads or writes."""

BOMB = "a" * 30 + "b"
"""A text at which every one of them does."""

ENDLESS = {"pre_tokenizer": searching(r"[\s\S]*[\s\S]*(?!)")}
ENDLESS_TEXT = "the value of " * 300
"""Minutes of search, each step of which stays below the library's limit."""


def craft(folder: Path, part: dict[str, Any]) -> None:
    """Put a crafted part into the tokenizer.json of a model folder."""
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **part}), encoding="utf-8")
