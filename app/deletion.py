"""Deleting runs, which leaves them in the trash for a while, bringing them back, and missing those that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from app.actions import named_keys
from app.background import in_background
from app.bidirectional import isolated
from app.run_watch import RunFacts
from app.trash import Trash
from tfmcore.config.config import Raw

if TYPE_CHECKING:
    from app.session import Session


class Moved(NamedTuple):
    """A deleted run: where it is kept, where it was, and what it is called."""

    kept: Path
    folder: Path
    label: str


class Deletion:
    """Each deletion is offered back by itself."""

    def __init__(self, session: Session, trash: Trash) -> None:
        self._session, self._trash = session, trash
        self._deleted: set[str] = set()
        self._undoable: list[tuple[list[Moved], Raw]] = []
        """Deletions that can be undone, the last one last, each with the design that was there."""
        self._chosen: RunFacts | None = None
        session.runs.changed.connect(self._miss_chosen)

    def _miss_chosen(self) -> None:
        """Say that the chosen run is gone, where it was not deleted here."""
        runs, before = self._session.runs, self._chosen
        self._chosen = runs.find(self._session.run_id)
        if before and before.id == self._session.run_id and not self._chosen and before.id not in self._deleted:
            words = f"“{isolated(before.label)}” is no longer there: {before.run.folder} was moved or deleted"
            run_id = before.id
            self._session.notify("warning", f"{words} by another program.", "", lambda: runs.find(run_id) is None)

    def delete(self, chosen: Sequence[RunFacts]) -> None:
        """Move runs that have ended out of the list; a notice offers to bring them back."""

        def alive_still() -> bool:
            return any((found := self._session.runs.find(facts.id)) and found.state.alive for facts in alive)

        alive, ended = ([facts for facts in chosen if facts.state.alive is is_alive] for is_alive in (True, False))
        moved = list[Moved]()

        def work() -> None:
            for facts in ended:
                moved.append(Moved(self._trash.take(facts.run.folder), facts.run.folder, facts.label))

        def done(_: None, why_not_all: str = "") -> None:
            self._undoable.append((moved, self._session.draft.raw))
            self._session.runs.refresh()
            them = "it" if len(moved) == 1 else "them"
            self._offer_back(moved, f"{why_not_all} {named_keys('Ctrl+Z')} brings {them} back.")

        def failed(error: Exception) -> None:
            self._deleted.difference_update(facts.id for facts in ended[len(moved) :])
            if moved:
                done(None, f" “{isolated(ended[len(moved)].label)}” cannot be deleted: {error}")
            else:
                self._session.say_failure(error)

        if len(alive) == 1:
            self._session.notify(
                "warning",
                f"“{isolated(alive[0].label)}” is {alive[0].words}: stop it before you delete it.",
                "",
                alive_still,
            )
        elif alive:
            self._session.notify(
                "warning", f"{len(alive):,} runs are still training: stop them before you delete them.", "", alive_still
            )
        if ended:
            if self._session.model and self._session.model.run in [facts.id for facts in ended]:
                self._session.close_model()
            self._deleted.update(facts.id for facts in ended)
            self._session.do_once(f"delete {[facts.id for facts in ended]}", work, done, failed)

    def _offer_back(self, moved: list[Moved], why_not: str = "") -> None:
        words = f"{len(moved):,} runs were deleted; they stay"
        words = words if len(moved) > 1 else f"“{isolated(moved[0].label)}” was deleted; it stays"
        words = f"{words} in {moved[0].kept.parent.name} for a week.{why_not}"
        self._session.offer(words, "Undo", lambda: self._bring_back(moved), lambda: bool(moved))

    def undo(self) -> bool:
        """Bring back what was deleted last; False where there is nothing, or the design has changed since."""
        if not self._undoable or self._undoable[-1][1] is not self._session.draft.raw:
            return False
        self._bring_back(self._undoable[-1][0])
        return True

    def _bring_back(self, moved: list[Moved]) -> None:
        self._undoable = [each for each in self._undoable if each[0] is not moved]

        def work() -> None:
            while moved:
                self._trash.give_back(moved[-1].kept, moved[-1].folder)
                self._deleted.discard(moved.pop().folder.name)

        def failed(error: Exception) -> None:
            self._offer_back(moved, f" “{isolated(moved[-1].label)}” cannot be restored: {error}")

        in_background(self._session, work, lambda _: self._session.queue.go_on(), failed)  # those that waited still do
