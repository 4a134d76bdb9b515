"""The set-up program: what it decides, without making environments or touching the network."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


def loaded(name: str) -> ModuleType:
    """A program of packaging/, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "packaging" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def dev(monkeypatch, tmp_path) -> ModuleType:
    """A fresh dev.py that works on a temporary .venv and that would start no process unnoticed."""
    module = loaded("dev")
    module.VENV, module.STAMP = tmp_path / ".venv", tmp_path / ".venv" / "installed.txt"
    module.VENV.mkdir()
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr(module.subprocess, "call", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.chdir(tmp_path)
    return module


@pytest.fixture
def commands(dev, monkeypatch) -> list[list[str]]:
    """The commands that dev.py gives, recorded instead of run; training leaves the folder of its run."""
    recorded: list[list[str]] = []

    def record(command, **_):
        words = [str(word) for word in command]
        recorded.append(words)
        if "train" in words:
            (Path(words[-1]) / "2026-11-23-first").mkdir(parents=True)
        return 0

    monkeypatch.setattr(dev.subprocess, "run", record)
    monkeypatch.setattr(dev.subprocess, "call", record)
    return recorded


def without_installing(dev, monkeypatch) -> dict:
    """Let dev.py take its set-up for done; returns what it asked for."""
    asked: dict = {}
    monkeypatch.setattr(dev, "missing_parts", lambda **needs: asked.update(needs) or {})
    monkeypatch.setattr(dev, "set_up", lambda missing, extra="": asked.update(extra=extra))
    return asked


# ---------------------------------------------------------------- the commands


def test_no_arguments_print_the_help(dev, capsys):
    assert dev.main([]) == 0
    assert "run" in (text := capsys.readouterr().out)
    assert "test" in text


def test_what_a_code_page_lacks_is_printed_all_the_same():
    command = [sys.executable, ROOT / "packaging" / "dev.py", "test", "--help"]
    environment = {**os.environ, "PYTHONIOENCODING": "cp437"}
    printed = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    assert "-- …" in printed.decode()


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_display_is_recognised(dev, platform, environment, expected):
    assert dev.has_display(platform, environment) is expected


def test_run_opens_the_window_where_there_is_a_display(dev, commands, monkeypatch):
    asked = without_installing(dev, monkeypatch)
    monkeypatch.setattr(dev, "has_display", lambda *_: True)
    assert dev.main(["run"]) == 0
    assert asked == {"window": True, "extra": ""}
    assert commands == [[str(dev.PYTHON), "-m", "app"]]


def test_run_does_the_job_in_the_terminal_where_there_is_none(dev, commands, monkeypatch, capsys, tmp_path):
    asked = without_installing(dev, monkeypatch)
    monkeypatch.setattr(dev, "has_display", lambda *_: False)
    assert dev.main(["run", "--steps", "7"]) == 0
    assert asked == {"extra": ""}  # no display: nothing of Qt is asked of the system
    assert [command[3] for command in commands] == ["new", "train", "generate", "inspect"]
    assert all(command[:3] == [str(dev.PYTHON), "-m", "tfmcore"] for command in commands)
    assert "training.steps=7" in commands[0]
    output = tmp_path / "playground-output" / "1"
    assert commands[2][4] == commands[3][4] == str(output / "runs" / "2026-11-23-first")
    assert commands[3][-1] == str(output / "attention.png")
    printed = capsys.readouterr().out
    assert "no display" in printed
    assert str(output / "attention.png") in printed


def test_a_bundle_is_made_by_the_recipe(dev, commands, monkeypatch):
    asked = without_installing(dev, monkeypatch)
    assert dev.main(["bundle"]) == 0
    assert asked == {"window": True, "bundling": True, "extra": "bundle"}
    assert commands == [[str(dev.PYTHON), "-m", "PyInstaller", "--noconfirm", str(dev.RECIPE)]]
    compile(dev.RECIPE.read_text(), dev.RECIPE, "exec")


def test_bundled_programs_start_one_another_as_python_does():
    """What the window, the queue and the launcher start is `sys.executable -m …`, which is a program of the bundle."""
    chosen = loaded("bundled").chosen
    assert chosen(["--workspace", "w"], "tfm-playground") == ("app", ["--workspace", "w"])
    assert chosen(["train", "run.toml"], "tfm") == ("tfmcore", ["train", "run.toml"])
    assert chosen(["status"], "TFM") == ("tfmcore", ["status"])  # as one may type it on Windows
    assert chosen(["-m", "tfmcore", "engine"], "tfm-playground") == ("tfmcore", ["engine"])


def test_what_was_made_before_is_never_overwritten(dev, tmp_path):
    assert [dev.new_folder(tmp_path / "output").name for _ in range(3)] == ["1", "2", "3"]


def test_every_check_runs_though_one_fails(dev, monkeypatch, capsys):
    asked = without_installing(dev, monkeypatch)
    ran = []

    def call(command, env, stdout, **_):
        assert env["QT_QPA_PLATFORM"] == "offscreen"
        if "mypy" in command:
            stdout.write(b"what mypy says")
        ran.insert(0 if "mypy" in command else len(ran), [str(word) for word in command])
        return 1 if "mypy" in command else 0

    monkeypatch.setattr(dev.subprocess, "call", call)
    assert dev.main(["test", "--", "-k", "norm"]) == 1
    assert asked == {"window": True, "virtual_display": True, "extra": "dev"}
    assert len(ran) == len(dev.checks([])) == 5
    assert ran[-1][-2:] == ["-k", "norm"]
    printed, _, summary = capsys.readouterr().out.partition("Summary")
    assert "what mypy says" in printed
    assert summary.count("passed") == 4
    assert re.search(r"mypy .* FAILED \(exit code 1\)", summary)


def test_a_failed_command_ends_with_one_sentence(dev, monkeypatch, capsys):
    without_installing(dev, monkeypatch)
    monkeypatch.setattr(dev, "has_display", lambda *_: False)

    def fail(command, **_):
        raise subprocess.CalledProcessError(2, command)

    monkeypatch.setattr(dev.subprocess, "run", fail)
    assert dev.main(["run"]) == 1
    assert "This failed" in capsys.readouterr().err


# ---------------------------------------------------------------- the environment


def test_stamp_changes_with_whatever_was_installed_from(dev, tmp_path):
    project, constraints = tmp_path / "pyproject.toml", tmp_path / "constraints.txt"
    project.write_text("a")
    constraints.write_text("b")
    first = dev.stamp("", (project, constraints))
    assert dev.stamp("", (project, constraints)) == first
    assert dev.stamp("dev", (project, constraints)) != first
    for changed in (project, constraints):
        before = dev.stamp("", (project, constraints))
        changed.write_text("c")
        assert dev.stamp("", (project, constraints)) != before


def test_installs_once_and_always_with_the_constraints(dev, commands):
    dev.set_up({}, extra="dev")
    installs = [command for command in commands if "install" in command]
    assert installs
    assert all(command[command.index("-c") + 1] == str(dev.CONSTRAINTS) for command in installs)
    assert installs[-1][-1] == f"{ROOT}[dev]"
    done = len(commands)
    dev.set_up({}, extra="dev")
    dev.set_up({}, extra="")  # what the tests need includes what the window needs
    assert len(commands) == done


def test_the_tests_need_more_than_the_window(dev, commands):
    dev.set_up({}, extra="")
    done = len(commands)
    dev.set_up({}, extra="dev")
    assert len(commands) > done


def test_constraints_pin_every_dependency_exactly():
    def normal(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    lines = (ROOT / "packaging" / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {normal(re.match(r"[\w.-]+", requirement)[0]) for requirement in asked} - {project["name"]}
    assert names <= {normal(name) for name in pins}
    assert "+" not in pins["torch"]


# ---------------------------------------------------------------- the system's libraries


def test_missing_libraries_name_their_packages(dev):
    assert dev.missing_libraries(lambda library: True) == {}
    assert dev.missing_libraries(lambda library: False) == dev.QT_LIBRARIES
    for library, package in dev.QT_LIBRARIES.items():
        assert dev.missing_libraries(lambda name, absent=library: name != absent) == {library: package}


def test_a_library_that_is_not_there_does_not_load(dev):
    assert not dev.loads("libno-such-library.so.9")


def as_user(dev, monkeypatch, user: int, apt: bool = True) -> None:
    monkeypatch.setattr(dev.shutil, "which", lambda name: f"/usr/bin/{name}" if apt else None)
    monkeypatch.setattr(dev, "os", SimpleNamespace(environ=os.environ, geteuid=lambda: user))


def test_root_on_debian_installs_what_is_missing(dev, commands, monkeypatch):
    as_user(dev, monkeypatch, user=0)
    dev.install_on_system({"libEGL.so.1": "libegl1", "Xvfb": "xvfb"})
    assert commands[0] == ["apt-get", "update"]
    assert commands[1][:2] == ["apt-get", "install"]
    assert commands[1][-2:] == ["libegl1", "xvfb"]


def test_others_on_debian_are_told_the_one_command(dev, monkeypatch):
    as_user(dev, monkeypatch, user=1000)
    with pytest.raises(dev.SetUpError, match=r"sudo apt-get install .* libegl1 xvfb"):
        dev.install_on_system({"Xvfb": "xvfb", "libEGL.so.1": "libegl1"})


def test_other_systems_are_told_what_is_missing(dev, monkeypatch, capsys):
    as_user(dev, monkeypatch, user=0, apt=False)
    monkeypatch.setattr(dev, "missing_parts", lambda **_: {"libEGL.so.1": "libegl1"})
    assert dev.main(["test"]) == 1
    assert "libEGL.so.1" in capsys.readouterr().err


def test_nothing_missing_starts_nothing(dev):
    dev.install_on_system({})


# ---------------------------------------------------------------- what else lies in packaging


def test_continuous_integration_calls_the_same_command():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "python3 packaging/dev.py test" in script.read_text()


def test_desktop_entry_starts_the_installed_program():
    entry = (ROOT / "packaging" / "transformer-playground.desktop").read_text()
    (command,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["gui-scripts"]
    assert f"Exec={command}\n" in entry
    name = next(line.removeprefix("Icon=") for line in entry.splitlines() if line.startswith("Icon="))
    assert (ROOT / "resources" / "icons" / f"{name}.svg").is_file()
