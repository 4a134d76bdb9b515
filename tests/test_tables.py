"""Every table that has a task, or what one does with its model, as its key is whole: one that is forgotten is found."""

import re
from collections.abc import Iterable

import pytest
from torch import nn

from app.diagram import HEADS as DIAGRAM_HEADS
from app.pages.use import PANELS
from tests.app.fake_engine import FakeEngine
from tests.tfmcore.conftest import KINDS
from tests.tfmcore.data.tasks.test_tasks import EXAMPLES
from tests.tfmcore.training.test_trainer import METRICS_OF
from tfmcore.cli.main import VERBS
from tfmcore.config import ModelConfig, options
from tfmcore.config.sources import SOURCES
from tfmcore.config.tasks import TASKS, TOKEN_TASKS
from tfmcore.data.sources import file
from tfmcore.data.sources.roles import NAMES
from tfmcore.data.tasks import TASKS as DATA_TASKS
from tfmcore.engine.handlers import MODULES
from tfmcore.models.heads import HEADS, SECOND_HEADS, make_head
from tfmcore.nn.heads import VocabularyHead
from tfmcore.training.evaluation import COMPARISONS
from tfmcore.training.losses import LOSSES
from tfmcore.training.measure import RANDOM_LABELS
from tfmcore.training.meters import METRICS
from tfmcore.training.samples import ANSWERS, PROMPTS

BY_TASK: dict[str, Iterable[str]] = {
    "TASKS of tfmcore/data/tasks/__init__.py": DATA_TASKS,
    "HEADS of tfmcore/models/heads.py": HEADS,
    "LOSSES of tfmcore/training/losses.py": LOSSES,
    "METRICS of tfmcore/training/meters.py": METRICS,
    "ANSWERS of tfmcore/training/samples.py": ANSWERS,
    "PROMPTS of tfmcore/training/samples.py": PROMPTS,
    "what is built in, in tfmcore/config/sources.py": {
        task for name, facts in SOURCES.items() if name != "file" for task in facts.tasks
    },
    "what a file serves, in tfmcore/config/sources.py": SOURCES["file"].tasks,
    "EXAMPLES of tests/tfmcore/data/tasks/test_tasks.py": EXAMPLES,
    "RANDOM_LABELS of tfmcore/training/measure.py, or predict tokens": {*RANDOM_LABELS, *TOKEN_TASKS},
    "METRICS_OF of tests/tfmcore/training/test_trainer.py": METRICS_OF,
}
OF_SOME_TASKS: dict[str, Iterable[str]] = {
    "COMPARISONS of tfmcore/training/evaluation.py": COMPARISONS,
    "SECOND_HEADS of tfmcore/models/heads.py": SECOND_HEADS,
    "PLAIN of tfmcore/data/sources/file.py": file.PLAIN,
    "FINISH of tfmcore/data/sources/file.py": file.FINISH,
}
BY_VERB: dict[str, Iterable[str]] = {
    "PANELS of app/pages/use.py": PANELS,
    "HEADS of app/diagram.py": DIAGRAM_HEADS,
    "MODULES of tfmcore/engine/handlers/__init__.py and VERBS of tfmcore/cli/main.py": set(MODULES) & set(VERBS),
    "the requests that tests/app/fake_engine.py answers": {
        request.model_fields["kind"].default
        for request in vars(FakeEngine)["answer"].dispatcher.registry
        if request is not object
    },
    "KINDS of tests/tfmcore/conftest.py": {TASKS[task].verb for _, task in KINDS.values()},
}
OTHER_KINDS = set(MODULES)
(COLUMNS,) = (option for option in options("data") if option.name == "columns")


@pytest.mark.parametrize("name", BY_TASK)
def test_a_table_of_tasks_has_all_of_them(name: str) -> None:
    missing, strange = set(TASKS) - set(BY_TASK[name]), set(BY_TASK[name]) - set(TASKS)
    assert not missing, f"they are missing in {name}"
    assert not strange, f"no tasks, but in {name}"


@pytest.mark.parametrize("name", OF_SOME_TASKS)
def test_a_table_of_some_tasks_has_no_other(name: str) -> None:
    assert set() < set(OF_SOME_TASKS[name]) < set(TASKS)


@pytest.mark.parametrize("name", BY_VERB)
def test_a_table_of_verbs_has_all_of_them(name: str) -> None:
    verbs = {task.verb for task in TASKS.values()}
    missing, strange = verbs - set(BY_VERB[name]), set(BY_VERB[name]) - verbs - OTHER_KINDS
    assert not missing, f"they are missing in {name}"
    assert not strange, f"no verbs, but in {name}"


@pytest.mark.parametrize("task", TASKS)
def test_what_the_facts_of_a_task_say_is_so(task: str) -> None:
    facts = TASKS[task]
    assert facts.metric in METRICS_OF[task] | {"loss"}, "its best checkpoint would be that of the lowest loss"
    roles, told = {*facts.roles, *facts.optional_roles}, set(re.findall(r"\w+", COLUMNS.help))
    assert not roles - set(NAMES), "they are missing in NAMES of tfmcore/data/sources/roles.py"
    assert not roles - told, "the help of data.columns does not name them"
    head = make_head(task, ModelConfig(), nn.Embedding(4, ModelConfig().d_model), num_labels=2)
    assert isinstance(head, VocabularyHead) == facts.predicts_tokens


def test_a_kind_of_model_learns_what_its_architecture_can() -> None:
    for kind, (architecture, task) in KINDS.items():
        assert architecture in TASKS[task].architectures, kind
