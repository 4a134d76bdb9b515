"""The command line as a whole: help, errors, exit codes, and which verbs load torch."""

import os
import subprocess
import sys
from importlib import import_module
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest

import tfmcore.cli
from tfmcore.cli.arguments import text
from tfmcore.cli.main import VERBS, main
from tfmcore.config import ConfigError, Problem

HEAVY = {"torch", "tokenizers", "safetensors", "PySide6"}
LIGHT = {
    "presets": [],
    "new": ["nano-decoder"],
    "check": ["nano-decoder"],
    "options": [],
    "status": [],
    "pause": ["nothing"],
    "resume": ["nothing"],
    "stop": ["nothing"],
    "save": ["nothing"],
    "learning-rate": ["nothing", "1e-3"],
    "train": ["nothing"],
    "generate": ["nothing", "a"],
    "inspect": ["nothing", "a", "-o", "a.svg"],
}


def module_of(verb):
    return import_module(f"tfmcore.cli.{verb.replace('-', '_')}")


@pytest.mark.parametrize("verb", VERBS)
def test_verb_helps(tfm, verb):
    result = tfm(verb, "--help")
    assert result.code == 0
    assert result.err == ""
    assert result.out.startswith(f"usage: tfm {verb} ")
    assert f"Examples:\n  tfm {verb}" in result.out
    assert "--debug" in result.out


@pytest.mark.parametrize(
    "given", [b"One\ntwo \xc3\xa9\n", b"\xef\xbb\xbfOne\r\ntwo \xc3\xa9\r\n"]
)  # as Windows pipes it
def test_a_text_of_a_pipe_is_what_was_written(monkeypatch, given):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(given)))
    assert text("-") == "One\ntwo é"


@pytest.mark.parametrize("verb", VERBS)
def test_examples_are_of_the_verb(verb):
    lines = module_of(verb).EXAMPLES.strip().splitlines()
    assert all(f"tfm {verb}" in line for line in lines)
    assert module_of(verb).__doc__.strip().endswith((".", '"'))
    assert VERBS[verb][0].islower()


def test_every_verb_has_its_file_and_every_such_file_its_verb():
    files = {path.stem for path in Path(tfmcore.cli.__file__).parent.glob("*.py")}
    verbs = {name for name in files if hasattr(import_module(f"tfmcore.cli.{name}"), "EXAMPLES")}
    assert verbs == {verb.replace("-", "_") for verb in VERBS}


def test_help_lists_every_verb(tfm):
    result = tfm("--help")
    assert result.code == 0
    for verb, line in VERBS.items():
        assert verb in result.out
        assert line.split()[0] in result.out


def test_no_verb_shows_the_help(tfm):
    assert tfm().code == 2


def test_version(tfm):
    assert tfm("--version").out.startswith("Transformer Playground ")


BAD = {
    "unknown verb": (["trian"], "did you mean train"),
    "nothing like a verb": (["xyzzy"], "tfm --help"),
    "unknown flag": (["train", "nano-decoder", "--fast"], "--fast"),
    "flag without its value": (["train", "--runs"], "--runs"),
    "abbreviated flag": (["generate", "a", "b", "--temp", "1"], "--temp"),
    "presets with an argument": (["presets", "x"], "x"),
    "new without a preset": (["new"], "PRESET"),
    "new of an unknown preset": (["new", "nano-decodr"], "nearest: nano-decoder"),
    "new with a wrong option": (["new", "nano-decoder", "--set", "model.num_heads=3"], "model.num_heads"),
    "new into no folder": (["new", "nano-decoder", "-o", "none/run.toml"], "none/run.toml cannot be written"),
    "set without a value": (["new", "nano-decoder", "--set", "model.num_heads"], "section.name=value"),
    "check of no file": (["check", "none.toml"], "none.toml does not exist"),
    "check of a folder": (["check", "."], "is a folder"),
    "options of no section": (["options", "modle"], "modle"),
    "train of nothing": (["train"], "name a config file or a preset"),
    "train of no file": (["train", "none.toml"], "does not exist"),
    "train of an unknown preset": (["train", "reverze"], "nearest: reverse"),
    "train on no file": (
        ["train", "nano-decoder", "--set", "data.source=file", "--set", "data.path=none.txt"],
        "data.path: none.txt is not a file",
    ),
    "train on nothing at all": (["train", "nano-decoder", "--set", "data.source=file"], "data.path"),
    "train with an unknown option": (["train", "nano-decoder", "--set", "model.layers=3"], "model.layers"),
    "launch on no machine": (["launch", "nano-decoder"], "one of the arguments --hosts --slurm is required"),
    "launch of one process": (["launch", "nano-decoder", "--hosts", "a,b"], "training.parallel is empty"),
    "resume of no run": (["resume", "none"], "there is no run 'none'"),
    "branch of no run": (["branch", "none"], "there is no run 'none'"),
    "queue of nothing to do": (["queue"], "WHAT"),
    "queue a wrong thing": (["queue", "eat"], "invalid choice: 'eat'"),
    "queue without a run": (["queue", "remove"], "name a run"),
    "queue of no run": (["queue", "add", "--run", "none"], "there is no run 'none'"),
    "queue of no config": (["queue", "add"], "name what to queue"),
    "status of no run": (["status", "none"], "there is no run 'none'"),
    "status that exports all": (["status", "--export", "a.csv"], "needs a RUN"),
    "status that follows nothing": (["status", "--follow"], "needs a RUN"),
    "pause of no run": (["pause", "../none"], "there is no run"),
    "stop of no run": (["stop", "none"], "there is no run"),
    "save of no run": (["save", "none"], "there is no run"),
    "learning rate of no run": (["learning-rate", "none", "1e-3"], "there is no run"),
    "learning rate 0": (["learning-rate", "none", "0"], "'0' is not a number from"),
    "learning rate nan": (["learning-rate", "none", "nan"], "'nan' is not a number from"),
    "generate without a prompt": (["generate", "none"], "PROMPT"),
    "generate with no model": (["generate", "none", "a"], "none"),
    "generate with top-p 2": (["generate", "none", "a", "--top-p", "2"], "'2' is not a number from"),
    "generate with no tokens": (["generate", "none", "a", "--max-new-tokens", "0"], "whole number from 1"),
    "generate with half a beam": (["generate", "none", "a", "--beams", "0.5"], "whole number from 1 to 64"),
    "generate of many, streamed": (["generate", "none", "a", "b", "--json", "--stream"], "one prompt"),
    "generate of many with no model": (["generate", "none", "a", "b"], "none"),
    "generate from no text": (["generate", "none", "\udcff"], "not UTF-8"),
    "classify with no model": (["classify", "none", "a"], "none"),
    "translate with no model": (["translate", "none", "a"], "none"),
    "fill with no model": (["fill", "none", "[MASK]"], "none"),
    "fill with no candidates": (["fill", "none", "[MASK]", "--candidates", "0"], "whole number from 1 to 50"),
    "evaluate with no model": (["evaluate", "none"], "none"),
    "inspect without an output": (["inspect", "none", "a"], "--output"),
    "inspect into no figure": (["inspect", "none", "a", "-o", "a.gif"], "must end in .npz, .svg, .png"),
    "inspect into no folder": (["inspect", "none", "a", "-o", "none/a.svg"], "none is not a folder"),
    "inspect with no model": (["inspect", "none", "a", "-o", "a.svg"], "none"),
    "tag with no model": (["tag", "none", "a"], "none"),
    "answer with no model": (["answer", "none", "--question", "a", "--context", "b"], "none"),
    "import of no folder": (["import", "none", "-o", "made"], "none"),
    "export of no model": (["export", "none", "-o", "made"], "none"),
    "sweep over no option": (["sweep", "reverse", "--over", "model.layers=1,2"], "model.layers is not an option"),
    "lr-range of an unknown preset": (["lr-range", "none"], "nearest"),
    "bench of an unknown preset": (["bench", "none"], "nearest"),
    "engine with an argument": (["engine", "now"], "now"),
}


@pytest.mark.parametrize(("words", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_one_sentence_and_exit_2(tfm, workspace, words, said):
    result = tfm(*words)
    assert result.code == 2
    assert result.out == ""
    assert said in result.err
    assert len(result.err.splitlines()) == 1
    assert "Traceback" not in result.err
    assert not workspace.exists()


def test_every_verb_with_arguments_has_a_bad_input():
    assert {words[0] for words, _ in BAD.values()} >= set(VERBS)


def fails_with(error):
    def run(arguments):
        raise error

    return run


FAULTS = {
    "a failure": (ValueError("first\nsecond"), 1, "tfm: unexpected ValueError: first (--debug shows where)\n"),
    "a full disk": (OSError(28, "No space left on device", "a/b"), 1, "tfm: a/b: No space left on device\n"),
    "Ctrl-C": (KeyboardInterrupt(), 130, "tfm: interrupted\n"),
    "problems": (ConfigError([Problem("a.b", "is wrong", 3)]), 2, "a.b: is wrong (nearest valid: 3)\n"),
}


@pytest.mark.parametrize(("error", "code", "said"), FAULTS.values(), ids=FAULTS)
def test_fault_is_one_line(tfm, monkeypatch, error, code, said):
    monkeypatch.setattr(module_of("presets"), "run", fails_with(error))
    result = tfm("presets")
    assert (result.code, result.out, result.err) == (code, "", said)


def test_debug_shows_the_traceback(tfm, monkeypatch):
    monkeypatch.setattr(module_of("presets"), "run", fails_with(ValueError("inner")))
    result = tfm("presets", "--debug")
    assert "Traceback" in result.err
    assert result.err.splitlines()[-1].startswith("tfm: unexpected ValueError: inner")
    assert "Traceback" in tfm("check", "none.toml", "--debug").err


def python(code, tmp_path, **more):
    environment = {**os.environ, "TFM_WORKSPACE": str(tmp_path / "workspace"), "COLUMNS": "80"}
    root = Path(tfmcore.cli.__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=False, **more
    )


def test_light_verbs_load_no_torch(tmp_path):
    """Nor do the others before they know that their input is good."""
    code = f"""
import sys
from tfmcore.cli.main import main
for verb, words in {LIGHT!r}.items():
    main([verb, *words])
    main([verb, "--help"])
    print("heavy:", verb, *({HEAVY!r} & sys.modules.keys()))
"""
    child = python(code, tmp_path)
    heavy = [line for line in child.stdout.splitlines() if line.startswith("heavy:")]
    assert heavy == [f"heavy: {verb}" for verb in LIGHT], child.stderr


def test_broken_pipe_is_quiet():
    code = """
import sys
from tfmcore.cli import presets
from tfmcore.cli.main import main
presets.run = lambda arguments: [print("x" * 1000) for _ in range(1000)] and 0
sys.exit(main(["presets"]))
"""
    command, root = [sys.executable, "-c", code], Path(tfmcore.cli.__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout.readline().startswith(b"xxx")
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141


def test_texts_of_every_language_come_out_whatever_the_locale(tmp_path):
    code = "from tfmcore.cli.main import main; import sys; sys.exit(main(['new', 'reverse']))"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    root = Path(tfmcore.cli.__file__).parents[2]
    child = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, check=True)
    assert "…" in child.stdout.decode()


def test_main_reads_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tfm", "options", "tokenizer"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("tokenizer.kind")
