"""The sample repository of the demo: the same everywhere, honest about itself, and running."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import tomllib
import zlib
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "demo" / "recipe"
BRANCHES = ("main", "refactor/tidy", "feature/fast-export", "feature/export-fixed", "feature/ship", "feature/ship-fixed")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def build(target: Path, **environment: str) -> str:
    command = [sys.executable, str(ROOT / "demo" / "build_sample.py"), str(target)]
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | environment
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout.strip()


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout.rstrip("\n")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "harbour"
    build(folder)
    return folder


def own_tests(sample: Path, revision: str, target: Path) -> subprocess.CompletedProcess[str]:
    target.mkdir()
    archive = subprocess.run(["git", "-C", str(sample), "archive", revision], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(target)], input=archive, check=True)
    command = [sys.executable, "-W", "error", "-m", "unittest"]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=target, capture_output=True, text=True, env=env, check=False)


def test_the_sample_has_the_same_ids_whatever_the_machine_is_set_to(sample: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\nname = Somebody\n[core]\nautocrlf = true\n[commit]\ngpgsign = true\n[init]\ndefaultObjectFormat = sha256\n", "utf-8"
    )
    environment = {"HOME": str(home), "TZ": "Pacific/Auckland", "LC_ALL": "C", "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z"}
    head = build(tmp_path / "again", **environment)
    assert head == git(sample, "rev-parse", "main")
    assert git(tmp_path / "again", "for-each-ref") == git(sample, "for-each-ref")
    assert git(sample, "status", "--porcelain") == ""
    assert git(sample, "fsck", "--strict") == ""


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years", "utf-8")
    with pytest.raises(subprocess.CalledProcessError):
        build(tmp_path)
    assert (tmp_path / "thesis.txt").read_text("utf-8") == "ten years"


def test_the_history_is_three_months_of_four_people(sample: Path) -> None:
    rows = [row.split("|") for row in git(sample, "log", "--reverse", "--format=%at|%ae|%s", "main").splitlines()]
    times = [int(time) for time, _, _ in rows]
    assert 24 <= len(rows) <= 40
    assert all(before < after for before, after in pairwise(times))
    assert 80 <= (times[-1] - times[0]) / 86400 <= 100
    assert len({author for _, author, _ in rows}) == 4
    assert all(author.endswith("@harbour.example") for _, author, _ in rows)


def test_every_branch_begins_at_the_head_of_main(sample: Path) -> None:
    assert sorted(git(sample, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()) == sorted(BRANCHES)
    assert {git(sample, "merge-base", "main", branch) for branch in BRANCHES} == {git(sample, "rev-parse", "main")}


@pytest.mark.parametrize("branch", BRANCHES)
def test_the_sample_application_passes_its_own_tests(sample: Path, tmp_path: Path, branch: str) -> None:
    ran = own_tests(sample, branch, tmp_path / "tree")
    assert ran.returncode == 0, ran.stderr
    assert int(re.findall(r"Ran (\d+) tests", ran.stderr)[0]) >= 20


@pytest.mark.soak
def test_the_sample_application_passes_its_own_tests_at_every_commit(sample: Path, tmp_path: Path) -> None:
    for revision in git(sample, "rev-list", "--all").splitlines():
        ran = own_tests(sample, revision, tmp_path / revision)
        assert ran.returncode == 0, f"{revision}: {ran.stderr}"


def test_the_token_in_the_sample_carries_a_valid_checksum(sample: Path) -> None:
    line = next(line for line in git(sample, "show", "before-assay:.env").splitlines() if line.startswith("GITHUB_TOKEN="))
    body, checksum = line.partition("_TOKEN=")[2][4:-6], line[-6:]
    number = 0
    for letter in checksum:
        number = number * 62 + _BASE62.index(letter)
    assert number == zlib.crc32(body.encode())


def test_the_key_in_the_sample_is_a_whole_ed25519_key(sample: Path) -> None:
    first, body, last = git(sample, "show", "before-assay:deploy/harbour_test.pem").splitlines()
    assert first.replace("BEGIN", "END") == last
    der = base64.b64decode(body)
    assert (len(der), der[:16].hex()) == (48, "302e020100300506032b657004220420")


def test_no_file_of_the_recipe_holds_a_credential() -> None:
    shapes = re.compile(
        r"gh[pousr]_\w{30}|github_pat_\w{20}|AKIA[A-Z2-7]{12}|[sr]k_live_\w{16}|xox[abp]-\w{10}|BEGIN [A-Z ]*PRIVATE KEY"
        r"|(?i:password|token|secret|key)['\"]?\s*[:=]\s*['\"](?!@@)[^'\"\s]{8,}['\"]"
    )
    held = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in sorted((ROOT / "demo").rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
        for found in shapes.finditer(path.read_text("utf-8"))
        if "os.environ" not in found[0]
    ]
    assert held == []


def test_every_commit_of_the_recipe_says_why() -> None:
    for file in RECIPE.glob("steps/*/commit.toml"):
        subject, _, _ = tomllib.loads(file.read_text("utf-8"))["message"].strip().partition("\n")
        assert 10 <= len(subject) <= 72, file
        assert not subject.endswith("."), file
