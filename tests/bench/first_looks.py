"""How long each page takes the first time that it is shown, and a change of the theme once all are:
python -m tests.bench.first_looks."""

import time

from PySide6.QtTest import QTest

from app.theme import apply_theme
from app.window import PAGES
from tests.bench.opened import opened
from tests.bench.painting import milliseconds, words

IDLE_MS = 500
CHANGES = 10


def main() -> None:
    """Each page is shown with the preset `write-manual`, and painted."""
    with opened() as (app, session, window):
        session.draft.load_preset("write-manual")
        for page in PAGES:
            QTest.qWait(IDLE_MS)
            begin = time.perf_counter()
            session.show_page(page.name)
            window.grab()
            print(f"{page.title:<8}{(time.perf_counter() - begin) * 1000:8.0f} ms")
        QTest.qWait(IDLE_MS)
        themes = iter(["light", "dark"] * CHANGES)
        found = milliseconds(lambda: (apply_theme(app, next(themes)), window.grab()), CHANGES)
        print(f"theme of {len(app.allWidgets())} widgets: {words(found)}")


if __name__ == "__main__":
    main()
