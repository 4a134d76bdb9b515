"""What all pages share: the workspace, the draft, the open model, the pinned texts, the chosen head; and every act."""

from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app import fitting, machine
from app.background import in_background
from app.bidirectional import isolated
from app.deletion import Deletion
from app.draft import Draft
from app.engine_client import EngineClient
from app.exchange import Exchange, is_foreign
from app.kept_draft import KeptDraft
from app.run_acts import ASKED, life
from app.run_labels import label_for
from app.run_queue import RunQueue
from app.run_watch import RunFacts, RunList
from app.settings import Settings
from app.titles import problem_words, titled
from app.trash import Trash
from tfmcore.config import Config, SavedModel, UserError, with_base
from tfmcore.config.branching import Beginning
from tfmcore.config.config import Raw
from tfmcore.messages import Command
from tfmcore.runs import Run, RunState, find_model, start_trainer


class Session(QObject):
    """Pages call its methods and redraw on its signals; they never call each other."""

    model_changed = Signal()
    pinned_changed = Signal()
    head_changed = Signal()
    run_changed = Signal()
    page_wanted = Signal(str)
    field_wanted = Signal(str)
    notified = Signal(str, str, str, object)
    offered = Signal(str, str, object, object)
    succeeded = Signal(str)

    def __init__(self, workspace: Path, settings: Settings | None = None) -> None:
        super().__init__()
        self.workspace = workspace
        self.settings = settings or Settings(workspace / "settings.toml")
        self.draft = Draft(self)
        self._kept_draft = KeptDraft(self.draft, workspace / "draft.toml", self)
        self.runs = RunList(workspace / "runs", self)
        here = {"TFM_WORKSPACE": str(workspace)}
        self.engine = EngineClient("engine", self, here)
        self.data_engine = EngineClient("data_engine", self, here)
        self.exchange = Exchange(self)
        self.queue = RunQueue(self)
        trash = Trash(workspace / ".trash")
        self._deletion = Deletion(self, trash)
        self._under_way: set[str] = set()
        self._successes = Counter[str]()
        self.model_path: str = ""
        self.model_name: str = ""
        self.model: SavedModel | None = None
        self.run_id: str = self.settings.get("train.run", "")
        self.pinned_text: str = ""
        self.pinned_second: str = ""
        self.layer: int = 0
        self.head: int | None = None
        self.engine.died.connect(lambda sentence: self.notify("warning", sentence))
        self.data_engine.died.connect(lambda sentence: self.notify("warning", sentence))
        self.runs.failed.connect(lambda sentence: self.notify("error", sentence))
        self.runs.changed.connect(self._name_model)
        self._do("sweep", trash.sweep)
        self._recall()

    def _recall(self) -> None:
        """What was open when the window was closed, and what the design begins from, if they are still there."""
        path, training = self.settings.get("open.model", ""), self.draft.raw.get("training", {})
        bases, checkpoints = (
            [training[name]] if training.get(name) else [] for name in ("finetune_from", "branch_from")
        )

        def origins() -> tuple[dict[str, SavedModel], dict[str, Beginning]]:
            return {it: SavedModel.read(Path(it)) for it in bases}, {it: Beginning.read(Path(it)) for it in checkpoints}

        def opened(found: tuple[str, Path, SavedModel]) -> None:
            if not self.model:  # another may have been opened meanwhile
                self._on_opened(found)

        if path:
            in_background(self, lambda: self._found(path), opened, lambda _: None)
        if bases or checkpoints:
            in_background(self, origins, lambda found: self.draft.know(*found), lambda _: None)

    # ── words to the user ────────────────────────────────────────────────────────────────────────────────────────────

    def notify(self, level: str, sentence: str, details: str = "", holds: Callable[[], bool] = lambda: True) -> None:
        """Show a sentence in the one place for it; `level` is info, warning or error. It goes when it no longer
        `holds`."""
        self.notified.emit(level, titled(sentence), details, holds)

    def offer(
        self, sentence: str, word: str, act: Callable[[], None], holds: Callable[[], bool] = lambda: True
    ) -> None:
        """Show a sentence with a button, `word`, that does `act`: how something done is undone. It goes when it no
        longer `holds`."""
        self.offered.emit(titled(sentence), word, act, holds)

    def until(self, act: str) -> Callable[[], bool]:
        """Whether to go on saying what is true until `act` next succeeds, such as that it failed."""
        before = self._successes[act]
        return lambda: self._successes[act] == before

    def succeed(self, act: str) -> None:
        """Say that `act` has been done: why it could not be is of the past."""
        self._successes[act] += 1
        self.succeeded.emit(act)

    def say_failure(self, error: Exception, act: str = "") -> None:
        """Show an error in the one place, until the same `act` succeeds if it is told."""
        details = error.details if isinstance(error, UserError) else repr(error)
        self.notify("error", str(error), details, self.until(act))

    def _do(self, act: str, work: Callable[[], Any], done: Callable[[Any], None] = lambda _: None) -> None:
        """An act that touches the disk: off this thread, its error said in the one place."""

        def succeeded(result: Any) -> None:
            self.succeed(act)
            done(result)

        in_background(self, work, succeeded, lambda error: self.say_failure(error, act))

    def do_once(
        self,
        act: str,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """The same, but passed over while that very act is under way: a double click starts one trainer."""
        if act in self._under_way:
            return
        self._under_way.add(act)

        def on_done(result: Any) -> None:
            self._under_way.discard(act)
            self.succeed(act)
            done(result)

        def on_failed(error: Exception) -> None:
            self._under_way.discard(act)
            if failed:
                failed(error)
            else:
                self.say_failure(error, act)

        in_background(self, work, on_done, on_failed)

    def _ask(self, facts: RunFacts, word: str, work: Callable[[], Any], until: Callable[[RunFacts], object]) -> None:
        """An act on a run, shown in the list as `word` until it has come about or failed."""

        act = f"{word} {facts.id}"

        def failed(error: Exception) -> None:
            self.runs.expect(facts.id, "")
            self.say_failure(error, act)

        self.runs.expect(facts.id, word, until)
        self.do_once(act, work, lambda _: self.runs.refresh(), failed)

    # ── selection ────────────────────────────────────────────────────────────────────────────────────────────────────

    def show_page(self, name: str) -> None:
        self.page_wanted.emit(name)

    def show_field(self, path: str) -> None:
        """Show and focus the field of `section.name`, wherever it is."""
        self.field_wanted.emit(path)

    def show_problem(self) -> str:
        """Show the field of the draft's first problem; what is wrong with it, in a sentence."""
        problem = self.draft.problems[0]
        self.show_field(problem.field)
        return f"First fix this: {problem_words(problem)}"

    def open_model(self, path: str, then: str = "") -> None:
        """Open a model folder or a run's best checkpoint; then show the page `then`, if any."""
        self._do("open", lambda: self._found(path), self._on_opened)
        if then:
            self.show_page(then)

    def _found(self, path: str) -> tuple[str, Path, SavedModel]:
        folder = find_model(path, self.runs.folder)
        return path, folder, SavedModel.read(folder)

    def _on_opened(self, found: tuple[str, Path, SavedModel]) -> None:
        path, folder, self.model = found
        self.model_path, self.model_name = str(folder), folder.name
        self._name_model()
        self.settings.set("open.model", path)
        self.model_changed.emit()

    def _name_model(self) -> None:
        """As the run that it comes from, also once that is gone; else its folder's name stays."""
        if self.model and (facts := self.runs.find(self.model.run)):
            self.model_name = facts.label

    def open_folder(self, path: str) -> None:
        """Open the model of a folder that was chosen or dropped; one of another program is imported first."""
        self.settings.set("open.folder", str(Path(path).parent))

        def known(foreign: bool) -> None:
            if foreign:
                self.exchange.import_folder(path)
            else:
                self.open_model(path, then="use")

        self._do("look", lambda: is_foreign(path), known)

    def close_model(self) -> None:
        self.model_path, self.model = "", None
        self.settings.set("open.model", "")
        self.model_changed.emit()

    def pin(self, text: str, second: str = "") -> None:
        if (text, second) != (self.pinned_text, self.pinned_second):
            self.pinned_text, self.pinned_second = text, second
            self.pinned_changed.emit()

    def choose_head(self, layer: int, head: int | None) -> None:
        if (layer, head) != (self.layer, self.head):
            self.layer, self.head = layer, head
            self.head_changed.emit()

    def choose_run(self, run_id: str) -> None:
        if run_id != self.run_id:
            self.run_id = run_id
            self.settings.set("train.run", run_id)
            self.run_changed.emit()

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def start_preset(self, name: str, overrides: list[str] | None = None, label: str = "") -> None:
        """Load a preset into the draft and train it."""
        self.draft.load_preset(name, overrides)
        self.start_run(label)

    def fine_tune(self, model: str, then: str = "data") -> None:
        """Design a run that begins with the weights of a model folder or a run; then show a page, if any."""
        raw = deepcopy(self.draft.raw)

        def found() -> tuple[SavedModel, Raw]:
            folder = find_model(model, self.runs.folder)
            saved = SavedModel.read(folder)
            return saved, with_base(fitting.begin_from(raw, saved, str(folder)), lambda _: folder)

        def done(base: tuple[SavedModel, Raw]) -> None:
            self.draft.begin_from(*base)
            if then:
                self.show_page(then)

        self._do("fine-tune", found, done)

    def start_run(self, label: str = "", despite: bool = False) -> None:
        """Train the draft as a new run, and show it; one that is too large only `despite` the caution."""
        config = self.draft.config
        if config is None:
            problem, started = self.draft.problems[0], self.until("start")
            self.notify(
                "error",
                f"The run cannot start: {problem_words(problem)}",
                "",
                lambda: problem in self.draft.problems and started(),
            )
            self.show_field(problem.field)
            return
        if not despite and (caution := machine.caution(config)):
            started = self.until("start")

            def is_this() -> bool:
                return self.draft.config == config and started()

            self.offer(caution, "Train anyway", lambda: self.start_run(label, despite=True), is_this)
            return
        name, folder = label or label_for(config, self.runs.facts), self.runs.folder
        if other := self.queue.in_the_way(config):
            self.do_once("start", lambda: self.queue.create(config, name), lambda run: self._on_run_waits(run, other))
        else:
            self.do_once("start", lambda: _create_and_start(folder, config, name), self._on_run_started)

    def _on_run_waits(self, run: Run, other: RunFacts) -> None:
        self._on_run_started(run)
        words = f"“{isolated(other.label)}” has not ended, so “{isolated(run.label)}” waits in the queue."

        def waits() -> bool:
            facts, before = self.runs.find(run.id), self.runs.find(other.id)
            return (facts is None or facts.state == RunState.WAITING) and before is not None and before.state.alive

        def train() -> None:
            self.do_once("start", lambda: _started(run), self._on_run_started)

        self.offer(words, "Train now", train, waits)

    def _on_run_started(self, run: Run) -> None:
        self.runs.await_run(run.id)
        self.choose_run(run.id)
        self.show_page("train")

    def resume_run(self, facts: RunFacts) -> None:
        """Un-pause a paused run; start one that has ended, or was never started, from its last checkpoint."""
        if facts.state.alive:
            self.command(facts, Command(kind="resume"))
        else:
            self._ask(facts, "starting", lambda: start_trainer(facts.run), life)

    def mend_run(self, facts: RunFacts) -> None:
        """Go on with a run as it said that it could, such as with a smaller batch."""
        remedy = facts.exit.remedy if facts.exit else []

        def start() -> None:
            facts.run.change(remedy)
            start_trainer(facts.run)

        self._ask(facts, "starting", start, life)

    def command(self, facts: RunFacts, command: Command) -> None:
        """Ask a run that trains for something; it acts after its current step."""
        if command.kind in ASKED:
            word, until = ASKED[command.kind]
            self._ask(facts, word, lambda: facts.run.command(command), until)
        else:
            self._do(f"{command.kind} {facts.id}", lambda: facts.run.command(command))

    def kill_run(self, facts: RunFacts) -> None:
        """For a run that no longer responds; its last checkpoint stays."""
        self._ask(facts, "ending", lambda: facts.run.kill(), life)

    def rename_run(self, facts: RunFacts, label: str) -> None:
        self._do("rename", lambda: facts.run.rename(label), lambda _: self.runs.refresh())

    def design_from(self, facts: RunFacts) -> None:
        """Design another run from the config of this one."""
        if facts.config is None:
            self.notify(
                "error", f"The config of “{isolated(facts.label)}” cannot be read: {facts.run.folder / 'run.toml'}"
            )
            return
        self.draft.load(facts.config)
        self.show_page("model")

    def branch_from(self, facts: RunFacts, step: int | None = None) -> None:
        """Design a run that goes on from a run's newest checkpoint at or before `step` (None: of all)."""

        def found() -> tuple[Path, Beginning]:
            folder = facts.run.checkpoint_before(step).folder
            return folder, Beginning.read(folder)

        def done(beginning: tuple[Path, Beginning]) -> None:
            self.draft.go_on_from(*beginning)
            self.show_page("model")

        self._do("branch", found, done)

    def delete_runs(self, chosen: Sequence[RunFacts]) -> None:
        """Move runs that have ended out of the list; a notice offers to bring them back."""
        self._deletion.delete(chosen)

    def undo(self) -> None:
        """Take back what was done last: a deletion, or a change of the design."""
        if not self._deletion.undo():
            self.draft.undo()

    def close(self) -> None:
        """End the engines and look at the runs no more; they go on."""
        self._kept_draft.close()
        self.runs.stop()
        self.engine.close()
        self.data_engine.close()


def _create_and_start(runs: Path, config: Config, label: str) -> Run:
    return _started(Run.create(runs, config, label))


def _started(run: Run) -> Run:
    start_trainer(run)
    return run
