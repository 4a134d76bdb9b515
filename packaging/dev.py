"""Sets up `.venv`, then opens the playground, checks it, or makes a folder of it that starts without Python.

Standard library only, so that a bare Python 3.11 on Linux, macOS or Windows is enough to begin.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
RECIPE = ROOT / "packaging" / "transformer-playground.spec"
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "installed.txt"
OLDEST_PYTHON = (3, 11)
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
PROMPT = "The for statement is used to iterate over "

# What Qt's own libraries and its xcb plugin link to on Linux, and the Debian package that has it. Qt reports
# several of these as "xcb-cursor" when they are missing, so each is looked for by its own name.
QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",  # brings a font with it
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


class SetUpError(Exception):
    """What stands in the way, in a sentence that says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, do what it says and return the exit code."""
    parser = argparse.ArgumentParser(prog="python3 packaging/dev.py", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command")
    run_parser = commands.add_parser("run", help="open the window; with no display, do the same job in the terminal")
    run_parser.add_argument("--steps", type=int, help="training steps of the terminal job (default: the preset's)")
    test_parser = commands.add_parser("test", help="run every check: ruff, mypy, import-linter, pytest")
    test_parser.add_argument("pytest", nargs="*", metavar="-- …", help="everything after -- goes to pytest")
    commands.add_parser("bundle", help="make a folder with both programs that starts without Python, in dist/")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "run":
            return run(chosen.steps)
        if chosen.command == "test":
            return test(chosen.pytest)
        if chosen.command == "bundle":
            return bundle()
        parser.print_help()
        return 0
    except SetUpError as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failure:
        print(f"\nThis failed (its own words stand above): {' '.join(map(str, failure.cmd))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


# ---------------------------------------------------------------- the commands


def run(steps: int | None) -> int:
    """Open the window, or do its first job in the terminal where there is no display."""
    if has_display(sys.platform, os.environ):
        set_up(missing_parts(window=True))
        return subprocess.call([PYTHON, "-m", "app"])
    say("There is no display here, so no window: the same job runs in the terminal.")
    set_up(missing_parts())
    train_and_look_inside(new_folder(Path.cwd() / "playground-output"), steps)
    return 0


def test(pytest_arguments: list[str]) -> int:
    """Run every check, even after one failed, and say how each ended and how long it took."""
    set_up(missing_parts(window=True, virtual_display=True), extra="dev")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    environment.setdefault("OMP_NUM_THREADS", "1")  # the tests run side by side: one thread each
    commands, ended = checks(pytest_arguments), dict[str, tuple[int, float]]()

    def check(name: str, words: IO[bytes] | None = None) -> None:
        start = time.monotonic()
        code = subprocess.call(commands[name], cwd=ROOT, env=environment, stdout=words, stderr=words)
        ended[name] = code, time.monotonic() - start

    with ThreadPoolExecutor() as beside, tempfile.TemporaryFile() as words:
        types = beside.submit(check, "mypy", words)  # on one core, of which the tests leave some time
        for name in (name for name in commands if name != "mypy"):
            say(name)
            check(name)
        types.result()
        say("mypy")
        words.seek(0)
        print(words.read().decode(errors="replace"), end="")
    say("Summary")
    for name in commands:
        code, seconds = ended[name]
        verdict = f"FAILED (exit code {code})" if code else "passed"
        print(f"  {name:<14} {seconds:6.1f} s  {verdict}", flush=True)
    return int(any(code for code, _ in ended.values()))


def bundle() -> int:
    """Make the folder, for the system that this runs on."""
    set_up(missing_parts(window=True, bundling=True), extra="bundle")
    subprocess.run([PYTHON, "-m", "PyInstaller", "--noconfirm", RECIPE], cwd=ROOT, check=True)
    say(f"Done. Start tfm-playground, or tfm for the terminal, in\n   {ROOT / 'dist' / RECIPE.stem}")
    return 0


def checks(pytest_arguments: list[str]) -> dict[str, list[str | Path]]:
    """Each check's name and command, the quick ones first."""
    side_by_side = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadscope"]  # a module's fixtures are made once
    side_by_side.append("--no-loadscope-reorder")  # tests/conftest.py knows a better order
    return {
        "ruff check": [PYTHON, "-m", "ruff", "check", "."],
        "ruff format": [PYTHON, "-m", "ruff", "format", "--check", "."],
        "mypy": [PYTHON, "-m", "mypy"],
        "import-linter": [SCRIPTS / "lint-imports", "--no-logo"],
        "pytest": [PYTHON, "-m", "pytest", *side_by_side, *pytest_arguments],
    }


def train_and_look_inside(folder: Path, steps: int | None) -> None:
    """Train the default preset on the embedded text, let it write, and draw what its heads attend to, into `folder`."""
    config, figure, runs = folder / "run.toml", folder / "attention.png", folder / "runs"
    tfm("new", "nano-decoder", *(["--set", f"training.steps={steps}"] if steps is not None else []), "-o", config)
    tfm("train", config, "--runs", runs)
    (trained,) = (entry for entry in runs.iterdir() if entry.is_dir())
    tfm("generate", trained, PROMPT)
    tfm("inspect", trained, PROMPT, "-o", figure)
    say(f"Done. What its heads attend to is drawn in\n   {figure}\n   and the trained model lies in\n   {trained}")


def tfm(*arguments: str | Path) -> None:
    """Run one verb of the terminal program, shown as a person would type it."""
    say("tfm " + " ".join(f'"{word}"' if " " in str(word) else str(word) for word in arguments))
    subprocess.run([PYTHON, "-m", "tfmcore", *arguments], check=True)


def new_folder(parent: Path) -> Path:
    """Make the first of parent/1, parent/2, … that is not there yet: nothing made before is overwritten."""
    folder = next(path for number in count(1) if not (path := parent / str(number)).exists())
    folder.mkdir(parents=True)
    return folder


def has_display(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a window can open here: always on macOS and Windows, elsewhere when X11 or Wayland says so."""
    if platform in ("darwin", "win32"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


# ---------------------------------------------------------------- the set-up


def set_up(missing: dict[str, str], extra: str = "") -> None:
    """Make `.venv` hold what pyproject.toml asks for, installing only when something changed since the last time."""
    install_on_system(missing)
    installed = STAMP.read_text() if STAMP.exists() else ""
    if installed in {stamp(extra), stamp("dev")}:  # what the tests need includes what the window needs
        return
    if not environment_works():
        say(f"Making a virtual environment in {VENV}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    say("Installing what it needs: a few minutes, the first time")
    pip: list[str | Path] = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-c", CONSTRAINTS]
    if sys.platform == "linux" and not shutil.which("nvidia-smi"):  # 200 MB instead of gigabytes of CUDA
        subprocess.run([*pip, "--no-deps", "--retries", "0", "--extra-index-url", CPU_WHEELS, "torch"], check=True)
    subprocess.run([*pip, "-e", f"{ROOT}[{extra}]" if extra else ROOT], check=True)
    STAMP.write_text(stamp(extra))


def stamp(extra: str, sources: Iterable[Path] = (ROOT / "pyproject.toml", CONSTRAINTS)) -> str:
    """A line that changes whenever an installation made before no longer fits."""
    digest = hashlib.sha256(f"{ROOT} {sys.version}".encode())
    for source in sources:
        digest.update(source.read_bytes())
    return f"{extra or 'run'} {digest.hexdigest()}"


def environment_works() -> bool:
    """Whether `.venv` is whole and of this Python's version."""
    probe = f"import pip, sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    return PYTHON.exists() and subprocess.call([PYTHON, "-c", probe], stderr=subprocess.DEVNULL) == 0


def missing_parts(window: bool = False, virtual_display: bool = False, bundling: bool = False) -> dict[str, str]:
    """What the system lacks, each with the Debian package that brings it."""
    missing = {}
    if importlib.util.find_spec("ensurepip") is None:  # Debian ships Python without it
        missing["Python's venv module"] = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if sys.platform == "linux" and window:
        missing |= missing_libraries(loads)
    if sys.platform == "linux" and virtual_display and not shutil.which("Xvfb"):
        missing["Xvfb"] = "xvfb"
    if sys.platform == "linux" and bundling and not shutil.which("objdump"):
        missing["objdump"] = "binutils"
    return missing


def missing_libraries(loads: Callable[[str], bool]) -> dict[str, str]:
    """Those of Qt's libraries that do not load."""
    return {library: package for library, package in QT_LIBRARIES.items() if not loads(library)}


def loads(library: str) -> bool:
    """Whether the dynamic linker finds a shared library and all that it needs itself."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def install_on_system(missing: dict[str, str]) -> None:
    """Install the missing packages on Debian as root; anywhere else raise SetUpError with what to do."""
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise SetUpError(f"Install these with your system's package manager, then start again: {', '.join(missing)}.")
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *sorted(set(missing.values()))]
    if os.geteuid() != 0:
        by_hand = "sudo " + " ".join(command)
        raise SetUpError(f"Some system packages are missing. Install them, then start again:\n  {by_hand}")
    say("Installing system packages: " + " ".join(command[4:]))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update"], command):
        subprocess.run(step, check=True, env=environment, stdin=subprocess.DEVNULL)


def say(text: str) -> None:
    """Print a headline, at once, so that it stands above what the next command prints."""
    print(f"\n── {text}", flush=True)


if __name__ == "__main__":
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer is needed; this is {sys.version.split()[0]}.")
    for stream in (sys.stdout, sys.stderr):  # on Windows a pipe or a file speaks no more than the system's code page
        stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.exit(main())
