"""What a run can be asked for, how the list shows it meanwhile, and how one sees that it has come about."""

from collections.abc import Callable

from app.run_watch import RunFacts


def life(facts: RunFacts) -> object:
    """What differs when a run goes from one state to the next, or from one process to the next."""
    return facts.state, facts.status and facts.status.pid, facts.exit and facts.exit.time


ASKED: dict[str, tuple[str, Callable[[RunFacts], object]]] = {
    "pause": ("pausing", life),
    "resume": ("resuming", life),
    "stop": ("stopping", life),
    "save_now": ("saving", lambda facts: (*facts.stamp[-2:], facts.state.alive)),
}
"""The commands that take effect after the current step: how the list shows them, and what differs when they have."""
