"""Whoever shares a training, it is the same training: losses, gradients, validations, samples and checkpoints."""

from itertools import product
from pathlib import Path

import pytest

from tests.tfmcore.conftest import choices
from tests.tfmcore.training.parallel.processes import config, job, together
from tfmcore.config.placement import num_processes, share_of
from tfmcore.models import load_model
from tfmcore.runs import Run

pytestmark = pytest.mark.timeout(500)  # of which nearly all is the fixture's

KINDS = ["data", "tensor", "fsdp", "pipeline"]
EVERY = ["", *KINDS]
PRESETS = {"encoder": "nano-encoder", "decoder": "nano-decoder", "encoder_decoder": "nano-seq2seq"}
SPECIAL = {
    "t5-mini": ["tensor", "pipeline"],
    "deberta-v3-mini": ["tensor", "pipeline"],
    "bert-mini": ["data", "tensor"],
}
VALIDATED = ["tell-languages", "tag-sentences", "answer-questions", "bert-mini"]
"""Their tasks have metrics of their own."""
PAIRS = ["data+fsdp", "data+tensor", "data+pipeline", "fsdp+tensor", "pipeline+tensor"]
HALF = 10
WHOLE = ["training.accumulation=2", "training.sample_every=20", "training.health_every=20"]
DROPOUT = ["model.dropout=0.2"]
ONCE = ["training.steps=1", "training.learning_rate=1e-9", "training.eval_batches=3"]
HELD_OUT = {"many": [*ONCE, "data.max_examples=300"], "one": [*ONCE, "data.validation_fraction=0.02"]}
PACKED = ["data.packing=true", "training.steps=6"]
FROZEN = {"first": "['embedding', 'layers.0']", "last": "['layers.1', 'head']"}
"""What is frozen in a stage of two in which nothing learns."""
DIVERGED = [f"training.freeze={FROZEN['first']}", "training.learning_rate=100", "training.weight_decay=1"]
"""What is no number is in the last stage only."""
AVERAGED = ["model.tie_embeddings=false", "training.steps=6", "training.ema_decay=0.9", "training.gradient_clip=0.05"]
BRIEF = ["training.steps=6", "model.attention_dropout=0.0"]


def jobs_of_two(base: Path) -> dict[tuple[str, ...], dict]:
    jobs = {
        ("whole", a, k): job(config(p, k, *WHOLE), base / f"{a}-{k}") for (a, p), k in product(PRESETS.items(), EVERY)
    }
    for before, after in product(EVERY, EVERY):
        begin = base / f"encoder_decoder-{before}"
        folder = base / f"{before}-then-{after}"
        jobs["resumed", before, after] = job(config("nano-seq2seq", after, WHOLE[0]), folder, begin, HALF)
    for kind in KINDS:
        dropping = config("nano-decoder", kind, *DROPOUT)
        jobs["dropout", kind] = job(dropping, base / f"dropout-{kind}")
        jobs["dropout resumed", kind] = job(dropping, base / f"dropout-{kind}-again", base / f"dropout-{kind}", HALF)
    for preset, kinds in SPECIAL.items():
        for kind in ["", *kinds]:
            jobs["special", preset, kind] = job(config(preset, kind, *BRIEF), base / f"{preset}-{kind}")
    for kind in ["", "data", "pipeline"]:
        jobs["packed", kind] = job(config("nano-seq2seq", kind, *PACKED), base / f"packed-{kind}")
    for (stage, parts), kind in product(FROZEN.items(), ["", "pipeline"]):
        frozen = config("nano-decoder", kind, *AVERAGED, f"training.freeze={parts}")
        jobs["frozen", stage, kind] = job(frozen, base / f"frozen-{stage}-{kind}")
    for kind in ["", "fsdp", "pipeline"]:
        jobs["diverged", kind] = job(config("nano-decoder", kind, *DIVERGED), base / f"diverged-{kind}")
    for preset, kind, (many, held_out) in product(VALIDATED, ["", "data"], HELD_OUT.items()):
        once = config(preset, kind, *held_out)
        jobs["validated", preset, many, kind] = job(once, base / f"{preset}-{many}-{kind}-once")
    learned = base / "decoder-" / "checkpoints" / f"step-{2 * HALF:08}"
    own = [f"training.finetune_from={learned}", "tokenizer.kind=file", f"tokenizer.path={learned / 'tokenizer.json'}"]
    for kind in ["", "data"]:
        adapted = config("nano-decoder", kind, *own, "training.lora_rank=2", "training.steps=2")
        jobs["low rank", kind] = job(adapted, base / f"low-rank-{kind}")
    return jobs


def jobs_of_four(base: Path) -> dict[tuple[str, ...], dict]:
    half = [f"training.steps={HALF}", "training.num_processes=4"]
    jobs = {("pair", k): job(config("nano-seq2seq", k, WHOLE[0], *half), base / k) for k in PAIRS}
    for kind in ("pipeline", ""):
        jobs["four stages", kind] = job(config("nano-decoder", kind, "model.num_layers=4", *half), base / f"4-{kind}")
    return jobs


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[tuple[str, ...], list[dict]]:
    """What every process said of every job."""
    base, found = tmp_path_factory.mktemp("runs"), {}
    for number, jobs in ((2, jobs_of_two(base)), (4, jobs_of_four(base))):
        said = together(list(jobs.values()), base / f"processes-{number}", number)
        for place, (key, done) in enumerate(jobs.items()):
            found[key] = [member[place] for member in said if member[place]]
            found[key][0]["folder"] = done["folder"]
    return found


def same(one: list, other: list) -> bool:
    """Rows of a step, a loss (equal to 5 digits), a gradient's norm or metrics, and more."""
    close = [
        [step, pytest.approx(loss, rel=1e-5), *(pytest.approx(x, rel=1e-4) for x in rest)]
        for step, loss, *rest in other
    ]
    return one == close and len(one) > 0


def assert_same(members: list[dict], reference: dict) -> None:
    for member in members:
        for what in ("stepped", "evaluated"):
            assert same(member[what], reference[what])
        assert member["warned"] == reference["warned"]
        assert member["parameters"] == reference["parameters"]


def test_every_kind_is_tried():
    assert set(KINDS) == set(choices("training.parallel"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", PRESETS)
def test_each_kind_learns_what_one_process_learns(told, architecture, kind):
    [one], members = told["whole", architecture, ""], told["whole", architecture, kind]
    assert len(members) == 2
    assert len(one["stepped"]) == 20
    assert_same(members, one)
    assert members[0]["sampled"] == one["sampled"] != []
    assert members[1]["sampled"] == []
    assert one["stepped"][-1][1] < one["stepped"][0][1] - 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", PRESETS)
def test_all_layers_are_looked_at_wherever_they_are(told, architecture, kind):
    """Gradients and results are the same; how far weights move is seen from other rows of them."""
    [one], members = told["whole", architecture, ""], told["whole", architecture, kind]
    [alone] = one["examined"]
    for member in members:
        [shared] = member["examined"]
        assert shared.keys() == alone.keys()
        for name, (gradient, update, scale) in alone.items():
            assert shared[name] == [
                pytest.approx(gradient, rel=1e-3), pytest.approx(update, rel=0.3), pytest.approx(scale, rel=1e-4)
            ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", PRESETS)
def test_what_is_cut_is_not_kept_whole(told, architecture, kind):
    [one], members = told["whole", architecture, ""], told["whole", architecture, kind]
    held = [member["held"] / one["held"] for member in members]
    if kind == "data":
        assert held == [1, 1]
    elif kind == "fsdp":
        assert sum(held) == pytest.approx(1)
        assert max(held) < 0.52
    else:  # norms, positions and the vectors shared by both ends are kept more than once
        assert 1 <= sum(held) < 1.6
        assert max(held) < 0.85


def test_replicas_and_tensor_shards_load_no_compiler(told):
    """These are trained first; torch's FSDP and pipeline load it."""
    assert [told["whole", "encoder", kind][1]["compiler"] for kind in KINDS] == [False, False, True, True]


@pytest.mark.parametrize("kind", ["data", "pipeline"])
def test_packed_rows_are_shared_as_others_are(told, kind):
    [one] = told["packed", ""]
    assert_same(told["packed", kind], one)


@pytest.mark.parametrize("stage", FROZEN)
def test_a_stage_in_which_nothing_learns_takes_part(told, stage):
    assert_same(told["frozen", stage, "pipeline"], told["frozen", stage, ""][0])


@pytest.mark.parametrize("kind", ["fsdp", "pipeline"])
def test_what_is_no_number_is_named_wherever_it_is(told, kind):
    """The main process says the same as one that has all of the model."""
    one, shared = (told["diverged", each][0]["failed"].splitlines() for each in ("", kind))
    assert shared[0] == one[0]
    assert shared[-2:] == one[-2:]
    assert one[-1].startswith("gradients with non-finite values: decoder.layers.1.")


@pytest.mark.parametrize("kind", [*EVERY, *PAIRS, "four stages"])
def test_each_process_holds_what_the_picture_says(told, kind):
    """The picture in the window and `tfm check` are drawn from `share_of`, which starts no process."""
    key = ("pair", kind) if kind in PAIRS else ("four stages", "pipeline")
    members = told["whole", "encoder_decoder", kind] if kind in EVERY else told[key]
    config = Run(Path(members[0]["folder"])).config()
    assert len(members) == num_processes(config.training)
    for rank, member in enumerate(members):
        share = share_of(config, rank)
        assert member["holds"] == {
            "layers": [f"{name}.layers.{n}" for name, mine in sorted(share.stage.layers.items()) for n in mine],
            "heads": [len(share.heads)],
            "kv_heads": [len(share.kv_heads)],
            "features": [len(share.features)],
            "examples": [share.examples.start, share.examples.stop],
        }


@pytest.mark.parametrize(("before", "after"), list(product(EVERY, EVERY)))
def test_a_checkpoint_of_each_kind_goes_on_as_each_other(told, before, after):
    [one], members = told["whole", "encoder_decoder", ""], told["resumed", before, after]
    for member in members:
        assert same(member["stepped"], one["stepped"][HALF:])
        assert same(member["evaluated"], one["evaluated"][1:])


@pytest.mark.parametrize("kind", KINDS)
def test_with_dropout_a_run_goes_on_as_if_it_had_not_been_broken(told, kind):
    for whole, again in zip(told["dropout", kind], told["dropout resumed", kind], strict=True):
        assert same(again["stepped"], whole["stepped"][HALF:])


@pytest.mark.parametrize(("preset", "kind"), [(preset, kind) for preset, kinds in SPECIAL.items() for kind in kinds])
def test_learned_positions_convolutions_and_second_heads_are_shared_too(told, preset, kind):
    assert_same(told["special", preset, kind], told["special", preset, ""][0])


@pytest.mark.parametrize("many", HELD_OUT)
@pytest.mark.parametrize("preset", VALIDATED)
def test_a_validation_by_shares_finds_what_one_process_finds(told, preset, many):
    """Of one held-out example, too, of which the second process has nothing."""
    [[_, *found]] = told["validated", preset, many, ""][0]["evaluated"]
    assert len(found) > 1
    for member in told["validated", preset, many, "data"]:
        [[_, *shared]] = member["evaluated"]
        assert shared == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize("pair", PAIRS)
def test_two_kinds_at_a_time(told, pair):
    [one], members = told["whole", "encoder_decoder", ""], told["pair", pair]
    assert len(members) == 4
    for member in members:
        assert same(member["stepped"], one["stepped"][:HALF])
        assert same(member["evaluated"], one["evaluated"][:1])


def test_four_stages(told):
    assert_same(told["four stages", "pipeline"], told["four stages", ""][0])


def plain_weights(run: Run) -> dict[str, list[float]]:
    """Those of the model in its newest checkpoint."""
    model, _ = load_model(run.checkpoints()[-1].folder)
    return {name: weight.flatten().tolist() for name, weight in model.named_parameters()}


def test_low_rank_updates_are_merged_into_the_plain_model(told):
    one, shared = (plain_weights(Run(Path(told["low rank", kind][0]["folder"]))) for kind in ("", "data"))
    assert shared == {name: pytest.approx(weight, abs=1e-5) for name, weight in one.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_model_lies_beside_the_shards(told, kind):
    run = Run(Path(told["whole", "encoder_decoder", kind][0]["folder"]))
    weights = plain_weights(Run(Path(told["whole", "encoder_decoder", ""][0]["folder"])))
    assert plain_weights(run) == {name: pytest.approx(weight, abs=1e-4) for name, weight in weights.items()}
    newest = run.checkpoints()[-1]
    assert newest.step == 20
    files = {path.relative_to(newest.folder).as_posix() for path in newest.folder.rglob("*") if path.is_file()}
    assert files == {*newest.manifest.files, "manifest.json"}
    shards = [name for name in files if name.startswith("optimizer")]
    assert len(shards) == (1 if kind == "data" else 2)
    assert all(name.endswith(".safetensors") for name in shards)
    assert newest.fault() == ""
    with open(newest.folder / shards[0], "r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    assert "damaged" in newest.fault()
