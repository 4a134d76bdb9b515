"""The columns of a table that have a role: one by its name, or for a prompt several, as "instruction + input"."""

from collections.abc import Collection

JOINED = ("prompt",)
"""The roles whose text may be that of several columns, one below the other."""
PLUS = " + "


def columns_of(role: str, name: str, known: Collection[str]) -> list[str]:
    """The columns that `name` means, of those that are `known` and others that it says; none for ""."""
    if role in JOINED and name not in known:
        return [part for part in map(str.strip, name.split(PLUS.strip())) if part]
    return [name]
