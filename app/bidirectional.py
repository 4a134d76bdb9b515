"""Hebrew and Arabic words among others."""

import unicodedata

RIGHT_TO_LEFT = ("R", "AL")
BEGIN, END = "\u200e\u2068", "\u2069"
"""The mark before the isolate keeps a text that begins with it from left to right: Qt looks into isolates for that."""


def isolated(words: str) -> str:
    """What a user wrote, to be put into a sentence or before a number, whose order it would turn round. For what is
    read on the screen, not for files."""
    if any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT for character in words):
        return f"{BEGIN}{words}{END}"
    return words


def plain(words: str) -> str:
    """The same for a file."""
    return words.replace(BEGIN, "").replace(END, "")
