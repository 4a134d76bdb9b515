"""Every table that has a task, or what one does with its model, as its key is whole: one that is forgotten is found."""

from collections.abc import Iterable
from typing import get_args

import pytest

from app.diagram import HEADS as DIAGRAM_HEADS
from app.pages.use import PANELS
from tests.app.fake_engine import FakeEngine
from tests.tfmcore.conftest import KINDS
from tests.tfmcore.data.tasks.test_tasks import EXAMPLES
from tests.tfmcore.training.test_trainer import METRICS_OF
from tfmcore.cli.main import VERBS
from tfmcore.config.data import TaskName
from tfmcore.config.sources import SOURCES
from tfmcore.config.tasks import TASKS
from tfmcore.data.sources import file
from tfmcore.data.tasks import TASKS as DATA_TASKS
from tfmcore.engine.handlers import MODULES
from tfmcore.models.heads import HEADS, SECOND_HEADS
from tfmcore.training.evaluation import COMPARISONS
from tfmcore.training.losses import LOSSES
from tfmcore.training.measure import RANDOM_LABELS
from tfmcore.training.meters import METRICS
from tfmcore.training.samples import ANSWERS, PROMPTS

BY_TASK: dict[str, Iterable[str]] = {
    "the schema's choices": get_args(TaskName),
    "data": DATA_TASKS,
    "heads": HEADS,
    "losses": LOSSES,
    "metrics": METRICS,
    "answers to samples": ANSWERS,
    "prompts of samples": PROMPTS,
    "what a source serves": {task for facts in SOURCES.values() for task in facts.tasks},
    "what is built in": {task for name, facts in SOURCES.items() if name != "file" for task in facts.tasks},
    "what a file serves": SOURCES["file"].tasks,
    "the tests' examples": EXAMPLES,
    "the tests' metrics": METRICS_OF,
}
OF_SOME_TASKS: dict[str, Iterable[str]] = {
    "comparisons of texts": COMPARISONS,
    "second heads": SECOND_HEADS,
    "random labels": RANDOM_LABELS,
    "files without an ending": file.PLAIN,
    "finished examples": file.FINISH,
}
BY_VERB: dict[str, Iterable[str]] = {
    "panels": PANELS,
    "heads in the diagram": DIAGRAM_HEADS,
    "requests and commands": set(MODULES) & set(VERBS),
    "what the tests' engine answers": {
        request.model_fields["kind"].default
        for request in vars(FakeEngine)["answer"].dispatcher.registry
        if request is not object
    },
    "the tests' models": {TASKS[task].verb for _, task in KINDS.values()},
}
OTHER_KINDS = set(MODULES)


@pytest.mark.parametrize("name", BY_TASK)
def test_a_table_of_tasks_has_all_of_them(name: str) -> None:
    assert set(BY_TASK[name]) == set(TASKS)


@pytest.mark.parametrize("name", OF_SOME_TASKS)
def test_a_table_of_some_tasks_has_no_other(name: str) -> None:
    assert set() < set(OF_SOME_TASKS[name]) < set(TASKS)


@pytest.mark.parametrize("name", BY_VERB)
def test_a_table_of_verbs_has_all_of_them(name: str) -> None:
    verbs = {task.verb for task in TASKS.values()}
    assert verbs <= set(BY_VERB[name])
    assert set(BY_VERB[name]) - verbs <= OTHER_KINDS


def test_a_kind_of_model_learns_what_its_architecture_can() -> None:
    for kind, (architecture, task) in KINDS.items():
        assert architecture in TASKS[task].architectures, kind
