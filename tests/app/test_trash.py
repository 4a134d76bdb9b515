"""Deleted things wait for a week, and then go."""

import os
import time
from pathlib import Path

from app.trash import KEPT_SECONDS, Trash


def test_what_is_taken_comes_back_whole_and_is_swept_after_a_week(tmp_path: Path) -> None:
    thing = tmp_path / "runs" / "été 🙂"
    thing.mkdir(parents=True)
    (thing / "events.jsonl").write_text("words")
    trash = Trash(tmp_path / ".trash")
    trash.sweep()
    kept = trash.take(thing)
    assert not thing.exists()
    trash.sweep()
    trash.give_back(kept, thing)
    assert (thing / "events.jsonl").read_text() == "words"
    kept = trash.take(thing)
    old = time.time() - KEPT_SECONDS - 60
    os.utime(kept, (old, old))
    trash.sweep()
    assert not kept.exists()


def test_a_week_begins_with_the_deletion(tmp_path: Path) -> None:
    thing = tmp_path / "an old run"
    thing.mkdir()
    os.utime(thing, (0, 0))
    trash = Trash(tmp_path / ".trash")
    kept = trash.take(thing)
    trash.sweep()
    assert kept.exists()
