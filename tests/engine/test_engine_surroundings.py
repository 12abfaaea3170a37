from __future__ import annotations

import io
import py_compile
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console
from tests.engine.conftest import Toy
from tests.engine.test_engine_run import assay, found

from assaymark import hookclient
from assaymark.engine.facts import FactsStore
from assaymark.engine.progress import NullProgress, RichProgress, progress_for_terminal
from assaymark.engine.run import Means
from assaymark.model.finding import CheckId

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).parents[2]

HEAVY = [
    "asyncio",
    "multiprocessing",
    "concurrent.futures",
    "rich",
    "click",
    "sqlalchemy",
    "yaml",
    "http",
    "ssl",
    "urllib.request",
    "email",
    "logging",
    "pathlib",
    "subprocess",
    "dataclasses",
    "pydantic",
    "tempfile",
    "shutil",
]


def loaded(modules: str) -> set[str]:
    site = next(path for path in sys.path if path.endswith("site-packages"))
    program = f"import sys; sys.path[:0] = [{str(ROOT / 'src')!r}]; sys.path.append({site!r}); before = set(sys.modules)\n"
    program += f"import {modules}\nprint(*(set(sys.modules) - before))"
    return set(subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    "modules",
    [
        "assaymark.engine.plan, assaymark.engine.facts",
        "assaymark.engine.run",
        "assaymark.daemon.serve, assaymark.daemon.start",
        "assaymark.hookclient",
    ],
)
def test_the_hooks_path_imports_nothing_heavy(modules: str) -> None:
    # What the model and msgspec load themselves is theirs to answer for.
    assert (loaded(modules) - loaded("assaymark.model.verdict, assaymark.model.check")) & set(HEAVY) == set()
    assert loaded("assaymark.engine.plan, assaymark.engine.facts, assaymark.engine.pool") & set(HEAVY) == set()


def test_the_client_loads_only_what_is_built_in() -> None:
    file = hookclient.__file__
    program = f"import sys\nbefore = set(sys.modules)\ntext = open({file!r}).read()\n"
    program += f"exec(text, {{'__name__': 'client', '__file__': {file!r}}})\nprint(*(set(sys.modules) - before), 'done')"
    seen = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert set(seen) <= {"posix", "done"}


CLIENT_BUDGET = 3_000_000
"""Measured 1.5 million when set. A script of this length would cost 8 million, which is why hooks run `daemon/ask.py`."""


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="NO INSTRUCTION BUDGET IS CHECKED HERE: valgrind is not installed")
@pytest.mark.timeout(300)
def test_the_client_stays_within_its_instructions(tmp_path: Path) -> None:
    """Above the interpreter's own start, when no daemon is there: everything but the conversation and the program."""
    bare = instructions(tmp_path, "-c", "import posix; posix._exit(0)")
    (tmp_path / "daemon").mkdir()
    script = Path(shutil.copy(Path(hookclient.__file__).with_name("daemon") / "ask.py", tmp_path / "daemon"))
    text = Path(hookclient.__file__).read_text().replace("posix.execv(", "posix._exit(0) or posix.execv(")
    (tmp_path / "hookclient.py").write_text(text)
    py_compile.compile(str(tmp_path / "hookclient.py"))
    spent = instructions(tmp_path, str(script), "pre-commit") - bare
    assert spent < CLIENT_BUDGET, f"{spent:,} instructions"


def instructions(folder: Path, *arguments: str) -> int:
    out = folder / "callgrind.out"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", sys.executable, "-I", "-S", *arguments]
    environment = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PATH": "/usr/bin:/bin"}
    subprocess.run(command, capture_output=True, check=True, env=environment)
    return int(next(line.split()[1] for line in out.read_text().splitlines() if line.startswith(("summary:", "totals:"))))


# --- progress --------------------------------------------------------------------------------------------------------


def screen() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80)


def shown_on(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_fast_run_draws_nothing(toy: Toy) -> None:
    console = screen()
    assay({"a.py": b"x"}, toy, means=Means(progress=RichProgress(console)))
    assert shown_on(console) == ""


def test_a_slow_run_shows_each_check_and_leaves_the_terminal_clean() -> None:
    console = screen()
    bars = RichProgress(console, patience=0.0)
    bars.advance(CheckId("secrets"), 3, 10)
    bars.note("[not markup]")
    bars.advance(CheckId("secrets"), 10, 10)
    bars.close()
    shown = shown_on(console)
    assert "secrets" in shown
    assert "10/10" in shown
    assert "[not markup]" in shown


def test_bars_do_not_start_threads() -> None:
    import threading  # noqa: PLC0415

    before = set(threading.enumerate())  # another test may have left some that end later
    bars = RichProgress(screen(), patience=0.0)
    bars.advance(CheckId("secrets"), 3, 10)
    assert set(threading.enumerate()) <= before
    bars.close()


def test_without_a_terminal_there_is_silence() -> None:
    assert isinstance(progress_for_terminal(), NullProgress)


# --- the whole process is killed -------------------------------------------------------------------------------------

ASSAY = """
import sys
sys.path[:0] = [{root!r}, {source!r}]
from tests.engine.test_engine_run import *
from assaymark.engine.facts import FactsStore
store = FactsStore({folder!r})
files = {{f"{{n}}.py": b"bad %d" % n for n in range(3000)}}
print("start", flush=True)
for turn in range(100):
    assay(files, Toy(f"toy{{turn}}"), means=Means(memory=store, limits=Limits(batch_inputs=64, workers=2)))
"""


def kill_and_run(folder: Path, toy_type: type[Toy], rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    files = {f"{number}.py": b"bad %d" % number for number in range(3000)}
    for _ in range(rounds):
        program = ASSAY.format(root=str(ROOT), source=str(ROOT / "src"), folder=str(folder))
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.random() * 0.6)
        process.kill()
        process.communicate()
        store = FactsStore(str(folder))
        for name in ("toy0", "toy1"):
            seen = assay(files, toy_type(name), means=Means(memory=store))
            assert [found(outcome) for outcome in seen.values()] == [1] * 3000
        assert store.notices() == ()
        store.close()


def test_a_run_after_a_kill_is_right(tmp_path: Path, make_toy: type[Toy]) -> None:
    kill_and_run(tmp_path / "facts", make_toy, 2, 1)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_runs_after_many_kills_are_right(tmp_path: Path, make_toy: type[Toy]) -> None:
    kill_and_run(tmp_path / "facts", make_toy, 100, 2)
