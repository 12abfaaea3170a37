"""A sample organisation: a small repository with a main branch and two merge requests, one of which makes security worse.

So that somebody who has just installed the server sees verdicts before he connects anything of his own. What it makes is ordinary: a
repository in the data folder, registered like any other, whose triggers go through the same door. Asking twice changes nothing.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.server.service import Service
from assaymark.server.work.intake import Source, accept
from assaymark.store.tables import repository

NAME = "sample/harbour"
_MAIN, _WORSE, _FINE = "refs/heads/main", "refs/heads/search", "refs/heads/health"
_WHO = "Sample <sample@example.org>"
_FIRST_DAY = 1_767_225_600
"""2026-01-01: the same commits on every machine."""

_APPLICATION = '''"""Berths of a small harbour."""

import sqlite3


def open_database(path):
    return sqlite3.connect(path)


def berth(database, number):
    return database.execute("SELECT ship FROM berth WHERE number = ?", (number,)).fetchone()
'''
_SEARCH = """

def search(database, ship):
    return database.execute(f"SELECT number FROM berth WHERE ship LIKE '%{ship}%'").fetchall()


def signal(ship):
    import subprocess

    return subprocess.run(f"signal --to {ship}", shell=True)
"""
_HEALTH = """

def health(database):
    return database.execute("SELECT count(*) FROM berth").fetchone()[0] > 0
"""
_BUILD = 'FROM docker.io/library/python:3.13-slim@sha256:{}\nCOPY . /app\nUSER 10001\nCMD ["python", "-m", "harbour"]\n'
_README = "# Harbour\n\nA sample that Assaymark made. Delete the repository in the list of subjects when you no longer need it.\n"


class _Commit(Struct, frozen=True):
    ref: str
    start: str
    """Ref that it stands on; empty for the first."""
    message: str
    files: dict[str, str]


def _commits() -> list[_Commit]:
    build = _BUILD.format("5c2f" * 16)
    first = {"README.md": _README, "harbour/berths.py": _APPLICATION, "Dockerfile": build, "assay.toml": '[policy]\nlevel = "production"\n'}
    return [
        _Commit(_MAIN, "", "Keep the harbour's berths", first),
        _Commit(_WORSE, _MAIN, "Search ships by name", {"harbour/berths.py": _APPLICATION + _SEARCH}),
        _Commit(_FINE, _MAIN, "Tell whether the harbour answers", {"harbour/berths.py": _APPLICATION + _HEALTH}),
    ]


def make_sample(service: Service) -> bool:
    """Make the repository and let its changes be judged; False when it is there already.

    Raises:
        SubjectUnreadable: when git cannot write it.
    """
    folder = service.settings.data / "sample" / "harbour.git"
    with service.database.read() as connection:
        if connection.execute(sa.select(repository.c.id).where(repository.c.clone_url == folder.as_uri())).first():
            return False
    heads = _write(folder)
    remote = RemoteRepository(NAME, folder.as_uri(), default_branch="main")
    main, worse, fine = (heads[ref] for ref in (_MAIN, _WORSE, _FINE))
    triggers = [
        Trigger(TriggerKind.PUSH, remote, ref=_MAIN, after=main, actor="sample"),
        _request(remote, MergeRequest(1, "main", worse, main, "Search ships by name", head_ref="search")),
        _request(remote, MergeRequest(2, "main", fine, main, "Tell whether the harbour answers", head_ref="health")),
    ]
    with service.database.write() as connection:
        for trigger in triggers:
            accept(service, connection, trigger, source=Source(cause="sample"))
    return True


def _request(remote: RemoteRepository, request: MergeRequest) -> Trigger:
    return Trigger(
        TriggerKind.MERGE_REQUEST, remote, SubjectKind.MERGE_REQUEST, ref=f"refs/heads/{request.head_ref}", after=request.head,
        merge_request=request, actor="sample",
    )  # fmt: skip


def _write(folder: Path) -> dict[str, str]:
    """A bare repository with these commits; gives ref -> commit."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(folder))
    git(folder, "fast-import", "--quiet", "--force", "--done", given=_stream(_commits()))
    listed = git(folder, "for-each-ref", "--format=%(refname) %(objectname)").decode()
    return dict(line.split(" ", 1) for line in listed.splitlines())


def _stream(commits: list[_Commit]) -> bytes:
    """In the format of `git fast-import`."""
    told: list[bytes] = []
    for number, commit in enumerate(commits):
        when = f"{_WHO} {_FIRST_DAY + number * 3600} +0000"
        message = commit.message.encode()
        told.append(f"commit {commit.ref}\nauthor {when}\ncommitter {when}\ndata {len(message)}\n".encode() + message + b"\n")
        told.append(f"from {commit.start}\n".encode() if commit.start else b"")
        for path, text in commit.files.items():
            content = text.encode()
            told.append(f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")
    return b"".join(told) + b"done\n"


def git(folder: Path, *words: str, given: bytes = b"") -> bytes:
    """One order to git in a repository of the sample, without anybody's settings.

    Raises:
        SubjectUnreadable: when git fails.
    """
    environment = {
        "PATH": os.environ.get("PATH", ""), "HOME": str(folder), "GIT_DIR": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C",
    }  # fmt: skip
    done = subprocess.run(["git", *words], input=given, env=environment, capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise SubjectUnreadable("the sample repository cannot be written", why=done.stderr.decode(errors="replace").strip()[:300])
    return done.stdout
