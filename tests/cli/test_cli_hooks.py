from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from assaymark.cli import hook
from assaymark.triggers import git_hooks

if TYPE_CHECKING:
    from tests.cli.conftest import Repo

GOOD = "def f(a, b):\n    return a + b\n"
BAD = "\n\ndef g(cmd):\n    import subprocess\n\n    return subprocess.call(cmd, shell=True)\n"


def test_a_bad_commit_is_stopped_and_a_good_one_is_not_spoken_about(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    assert repo.assay("hook", "install").code == 0
    repo.write(a_DOT_py=GOOD + BAD)
    repo.git("add", "-A")
    stopped = repo.git("commit", "-m", "bad", check=False)
    assert stopped.code != 0
    assert "command-injection" in stopped.err
    repo.write(a_DOT_py=GOOD + "\n\ndef h():\n    return 1\n")
    repo.git("add", "-A")
    done = repo.git("commit", "-q", "-m", "good")
    assert (done.out, done.err) == ("", "")


def test_a_partial_commit_is_judged_by_what_it_records(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD, b_DOT_py=GOOD)
    repo.assay("hook", "install")
    repo.write(a_DOT_py=GOOD + BAD, b_DOT_py=GOOD + "\n\nx = 1\n")
    assert repo.git("commit", "-q", "-m", "b alone", "b.py", check=False).code == 0
    assert repo.git("commit", "-q", "-m", "a alone", "a.py", check=False).code != 0


def test_the_first_commit_is_judged_too(repo: Repo) -> None:
    repo.assay("hook", "install")
    repo.write(a_DOT_py=GOOD + BAD)
    repo.git("add", "-A")
    assert repo.git("commit", "-q", "-m", "first", check=False).code != 0


def test_a_push_is_stopped_before_it_leaves(repo: Repo, tmp_path: Path) -> None:
    repo.git("init", "-q", "--bare", str(tmp_path / "remote.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    repo.commit("one", a_DOT_py=GOOD)
    repo.git("push", "-q", "origin", "main")
    repo.assay("hook", "install")
    repo.commit("bad", a_DOT_py=GOOD + BAD)
    assert repo.git("push", "-q", "origin", "main", check=False).code != 0
    repo.commit("repaired", a_DOT_py=GOOD)
    assert repo.git("push", "-q", "origin", "main", check=False).code == 0
    assert repo.git("push", "-q", "origin", "--delete", "main", check=False).code in (0, 1)


def test_a_server_refuses_a_push_in_quarantine(repo: Repo, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    repo.git("init", "-q", "--bare", str(remote))
    server = type(repo)(remote, repo.env)
    assert "pre-receive installed" in server.assay("hook", "install").out
    repo.git("remote", "add", "origin", str(remote))
    repo.commit("one", a_DOT_py=GOOD)
    repo.git("push", "-q", "origin", "main")
    repo.commit("bad", a_DOT_py=GOOD + BAD)
    refused = repo.git("push", "origin", "main", check=False)
    assert refused.code != 0
    assert "command-injection" in refused.err
    assert repo.git("push", "origin", "main:refs/heads/other", check=False).code != 0
    repo.commit("repaired", a_DOT_py=GOOD)
    assert repo.git("push", "-q", "origin", "main", check=False).code == 0


def test_a_hook_that_stood_there_is_kept_runs_first_and_comes_back(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    hook = repo.path / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho mine >> ../ran 2>/dev/null || echo mine >> ran\nexit 0\n")
    hook.chmod(0o755)
    assert "runs first" in repo.assay("hook", "install", "pre-commit").out
    repo.write(a_DOT_py=GOOD + "\n\nx = 1\n")
    repo.git("add", "a.py")
    repo.git("commit", "-q", "-m", "two")
    assert (repo.path / "ran").exists() or (repo.path.parent / "ran").exists()
    assert "is back" in repo.assay("hook", "uninstall", "pre-commit").out
    assert "mine" in hook.read_text()
    assert repo.assay("hook", "install", "pre-commit").code == 0
    assert repo.assay("hook", "install", "pre-commit").code == 0


def test_hooks_are_put_where_git_looks_for_them(repo: Repo) -> None:
    repo.git("config", "core.hooksPath", "my hooks")
    repo.assay("hook", "install", "pre-commit")
    assert (repo.path / "my hooks" / "pre-commit").exists()


def test_the_daemon_warms_and_rehearses_although_an_engine_is_missing(repo: Repo) -> None:
    program = "from assaymark.cli import hook; hook.warm(); hook.Spares().rehearse(); print('ready')"
    env = repo.env | {"ASSAYMARK_ADVISORIES": str(repo.path / "nowhere")}
    ran = subprocess.run([sys.executable, "-c", program], env=env, cwd="/", capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("ready\n", 0), ran.stderr


@pytest.mark.parametrize(("fate", "answer"), [("killed", None), ("raised", None), ("done", 5)])
def test_a_child_that_is_lost_gives_no_answer(fate: str, answer: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> int:
        if fate == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == "raised":
            raise RuntimeError
        return 5

    monkeypatch.setattr(hook, "run", run)
    assert hook._at_risk(colour=False) == answer


PERL_WORLDS: list[dict[str, str]] = [{}, {"PERL5OPT": "-Mnowhere"}, {"PERL_UNICODE": ""}, {"PERLIO": ":crlf"}, {"LC_ALL": "xx_YY.UTF-8"}]


@pytest.mark.parametrize("world", PERL_WORLDS, ids=str)
def test_the_hook_is_silent_and_strict_whatever_the_users_perl_is_told(repo: Repo, world: dict[str, str]) -> None:
    """A dead socket makes the hook run its client; its name is so long that no client reaches it and no daemon is started."""
    run = repo.path.parent / ("long" * 30)
    (run / "assaymark").mkdir(parents=True, mode=0o700)
    here = Path.cwd()
    os.chdir(run / "assaymark")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
        nobody.bind("nobody.sock")
    os.chdir(here)
    repo.commit("one", a_DOT_py=GOOD)
    repo.assay("hook", "install", "pre-commit")
    told = type(repo)(repo.path, repo.env | world | {"XDG_RUNTIME_DIR": str(run), "ASSAYMARK_DAEMON": "on", "HOME": str(run)})
    repo.write(a_DOT_py=GOOD + BAD)
    repo.git("add", "-A")
    assert told.git("commit", "-m", "bad", check=False).code != 0
    repo.write(a_DOT_py=GOOD + "\n\nx = 1\n")
    repo.git("add", "-A")
    done = told.git("commit", "-q", "-m", "good")
    assert (done.out, done.err) == ("", "")


def test_the_hook_asks_in_perl_where_there_is_one_and_in_python_otherwise() -> None:
    client = git_hooks.Client(python="/a b/python", program="pass'", ask="/p/ask.py", ask_perl="/p/ask.pl")
    for moment in git_hooks.Hook:
        for made in (client, msgspec.structs.replace(client, ask_perl="")):
            text = git_hooks.script(moment, made)
            assert subprocess.run(["sh", "-n"], input=text, text=True, check=True).returncode == 0
            assert ("/usr/bin/perl -f /p/ask.pl" in text) == (moment is git_hooks.Hook.PRE_COMMIT and made is client)
            assert ("'/a b/python' -I -S /p/ask.py" in text) == (moment is not git_hooks.Hook.POST_RECEIVE)
