"""Hostile and huge inputs give a clear result in bounded time, and a run that was killed at any moment is followed by a right one."""

from __future__ import annotations

import io
import os
import random
import re
import signal
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from acceptance.harness import Shell, answer, gaps, has_reason, weaknesses

SEEN = "import os\n\n\ndef run(name):\n    return os.system(name)\n"
DEEP = 1_000
MEMORY_KIB = 2_500_000


def deep_sources() -> dict[str, str]:
    """A thousand levels, in every language that a parser of ours reads."""
    return {
        "deep_brackets.py": "x = " + "[" * DEEP + "]" * DEEP + "\n",
        "deep_blocks.py": "".join(" " * level + "if True:\n" for level in range(DEEP)) + " " * DEEP + "pass\n",
        "deep_terms.py": "x = " + "-" * DEEP * 20 + "1\n",
        "deep.json": '{"a":' * DEEP + "1" + "}" * DEEP,
        "deep_list.json": "[" * DEEP * 50 + "]" * DEEP * 50,
        "deep.yaml": "".join(" " * level + "a:\n" for level in range(DEEP)),
        ".github/workflows/deep.yml": "on: push\njobs: " + "{a: " * DEEP + "1" + "}" * DEEP + "\n",
        ".gitlab-ci.yml": "job:\n  script: " + "[" * DEEP + "echo" + "]" * DEEP + "\n",
        "Jenkinsfile": "pipeline " + "{ stage('a') " * DEEP + "}" * DEEP + "\n",
    }


def yaml_bomb() -> str:
    rows = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(rows) + "\njob:\n  script: *a11\n"


def test_a_thousand_levels_of_nesting_end_in_a_clear_result(shell: Shell, tmp_path: Path) -> None:
    repository = shell.repository(tmp_path / "deep", {**deep_sources(), "seen.py": SEEN})
    report = shell.check("--all", folder=repository, seconds=300)
    assert all(has_reason(gap) for gap in gaps(report))
    assert "seen.py" in {finding["place"]["path"] for finding in weaknesses(report)}, "the bad neighbours cost a good file its check"


def test_yaml_bombs_do_not_unfold(shell: Shell, tmp_path: Path) -> None:
    bomb = yaml_bomb()
    files = {".gitlab-ci.yml": bomb, ".github/workflows/bomb.yml": "on: push\n" + bomb, "config.yaml": bomb, "seen.py": SEEN}
    repository = shell.repository(tmp_path / "bomb", files)
    report = shell.check("--all", folder=repository, seconds=120)
    assert all(has_reason(gap) for gap in gaps(report))
    assert "seen.py" in {finding["place"]["path"] for finding in weaknesses(report)}


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(4):
            with archive.open(f"zeros{number}.txt", "w", force_zip64=True) as member:
                for _ in range(400):
                    member.write(bytes(1 << 20))


def tar_bomb(path: Path) -> None:
    class Zeros(io.RawIOBase):
        left = 2 << 30

        def read(self, size: int = -1) -> bytes:
            taken = min(self.left, size if size > 0 else 1 << 20)
            self.left -= taken
            return bytes(taken)

    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo("zeros.bin")
        info.size = Zeros.left
        archive.addfile(info, Zeros())


@pytest.mark.parametrize(("make", "name"), [(zip_bomb, "bomb.zip"), (tar_bomb, "bomb.tar.gz")])
def test_archives_that_unfold_without_end_are_refused_with_the_reason(
    shell: Shell, tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    bomb = tmp_path / name
    make(bomb)
    started = time.monotonic()
    said = shell.run("check", str(bomb), "--all", folder=tmp_path, seconds=300)
    assert said.code in {3, 5}, (said.code, said.out[-1000:], said.err[-1000:])
    assert len(said.err + said.out) > 20
    assert "Traceback" not in said.err
    assert time.monotonic() - started < 240


def test_a_file_of_one_gigabyte_is_said_to_be_too_large_and_not_read(shell: Shell, tmp_path: Path) -> None:
    repository = shell.repository(tmp_path / "huge", {"seen.py": SEEN})
    with (repository / "huge.py").open("wb") as file:
        file.write(b"x = 1\n")
        file.truncate(1 << 30)
    limit = f"ulimit -v {MEMORY_KIB}; " + 'exec "$@"'
    command = ["sh", "-c", limit, "sh", *shell.command, "check", "--all", "--format", "json", "-o", "../report.json"]
    ran = subprocess.run(command, cwd=repository, env=shell.env, capture_output=True, timeout=240, check=False)
    assert ran.returncode in {1, 5}, ran.stderr[-2000:]
    report = shell.check("--all", folder=repository)
    assert "huge.py" in {gap["place"]["path"] for gap in gaps(report)}
    assert "seen.py" in {finding["place"]["path"] for finding in weaknesses(report)}


@pytest.mark.soak
def test_a_tree_of_two_hundred_thousand_files(shell: Shell, tmp_path: Path) -> None:
    repository = shell.repository(tmp_path / "wide", {"seen.py": SEEN})
    for folder in range(400):
        (repository / f"d{folder}").mkdir()
        for number in range(500):
            (repository / f"d{folder}" / f"f{number}.py").write_text(f"value_{folder}_{number} = {number}\n", "utf-8")
    report = shell.check("--all", folder=repository, seconds=1800)
    assert gaps(report) == []
    assert sum(run["inputs"] for run in report["verdict"]["checks"]) >= 200_000
    assert "seen.py" in {finding["place"]["path"] for finding in weaknesses(report)}


HOSTILE = (
    b"red\x1b[31m.py", b"title\x1b]0;owned\x07.py", b"line\nbreak.py", b"back\x08space.py", b"undecodable\xff.py",
    "right\u202eto.py".encode(),
    b"::error file=a::said.py", b"<script>alert(1)</script>.py", b"-rf.py", b" space .py", b'quote".py', b"$(touch owned).py",
)  # fmt: skip


@pytest.mark.parametrize("form", ["terminal", "github", "markdown", "html", "json", "sarif", "junit", "gitlab-codequality", "gitlab-sast"])
def test_file_names_are_shown_harmlessly(shell: Shell, tmp_path: Path, form: str) -> None:
    repository = shell.repository(tmp_path / "names", {"a.py": "one = 1\n"})
    for name in HOSTILE:
        path = os.fsencode(repository) + b"/" + name.replace(b"/", b"_")
        with open(path, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
            file.write(SEEN.encode())
    said = shell.run("check", "--all", "--verbose", "--format", form, folder=repository)
    assert said.code in {1, 5}, said.err[-2000:]
    assert sum(said.out.count(text) for text in ("red", "title")) > 0, "the findings are not in the report"
    for control in ("\x1b", "\x07", "\x08", "\u202e"):
        assert control not in said.out + said.err, f"{control!r} reaches the reader of {form}"
    if form in {"html", "junit"}:
        assert "<script>alert(1)" not in said.out
    if form == "markdown":
        assert "<script>alert(1)" not in re.sub(r"`[^`]*`", "", said.out), "outside of a code span"
    if form == "github":
        assert not [line for line in said.out.splitlines() if line.startswith("::error file=a::")]
    assert not (repository / "owned").exists()


def killed_run(shell: Shell, repository: Path, seconds: float) -> None:
    """Start a check in a group of its own, and kill it with all its children."""
    process = subprocess.Popen(
        [*shell.command, "check", "--all", "-f", "json"],
        cwd=repository,
        env=shell.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_run_after_a_kill_at_any_moment_is_right(shell: Shell, tmp_path: Path) -> None:
    chance = random.Random(20261123)
    files = {f"m{number}.py": SEEN.replace("name", f"name_{number}") for number in range(400)}
    repository = shell.repository(tmp_path / "killed", files)
    expected = answer(shell.check("--all", "--no-memory", folder=repository))
    user = shell.fresh(tmp_path / "user")
    started = time.monotonic()
    user.check("--all", folder=repository)
    whole = time.monotonic() - started
    for path in (user.home / "cache").glob("facts*"):
        path.unlink()
    for _ in range(12):
        killed_run(user, repository, chance.uniform(0.05, whole))
        if chance.random() < 0.3:
            assert answer(user.check("--all", folder=repository)) == expected
            for path in (user.home / "cache").glob("facts*"):
                path.unlink()
    assert answer(user.check("--all", folder=repository)) == expected
