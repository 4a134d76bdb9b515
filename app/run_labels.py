"""What a run is called that nobody named."""

from collections.abc import Iterable

from app.run_watch import RunFacts
from tfmcore.config import TASKS, Config, presets
from tfmcore.config.branching import parent_of


def label_for(config: Config, runs: Iterable[RunFacts]) -> str:
    """After the run that it goes on from, if it does."""
    parent = parent_of(config.training)
    facts = next((facts for facts in runs if parent and facts.id == parent.run), None)
    return f"{facts.label} from step {parent.step:,}" if parent and facts else default_label(config)


def default_label(config: Config) -> str:
    """As the preset that it started from, else what learns what."""
    if preset := presets().get(config.model.preset):
        return preset.title
    return f"{config.model.architecture.replace('_', '-')}, {TASKS[config.data.task].title.lower()}"
