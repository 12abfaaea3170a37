"""Real repositories on this disk, registered through intake, and jobs that are run by hand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from assaymark.model.assessment import AssessmentId
from assaymark.model.digest import Digest
from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.model.verdict import Verdict
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.work.assess import assess
from assaymark.server.work.intake import Source, accept
from assaymark.server.work.inventory import inventory
from assaymark.store import tables
from assaymark.store.migrations.apply import migrate

BAD = b"import subprocess\n\n\ndef run(name):\n    subprocess.run('ls ' + name, shell=True)\n"
WORSE = b"import hashlib\n\n\ndef digest(text):\n    return hashlib.md5(text).hexdigest()\n"
FINE = b"def run(name):\n    return name\n"

_ENV = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


class Origin:
    """A repository that people push to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *args: str) -> str:
        env = {**_ENV, "HOME": str(self.path)}
        done = subprocess.run(["git", *args], cwd=self.path, env=env, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def commit(self, message: str = "change", **files: bytes | None) -> str:
        for name, content in files.items():
            path = self.path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path = path if path.suffix or path.name == "LICENSE" else path.with_name(f"{path.name}.py")
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


class Once:
    """An attempt."""

    def __init__(self, number: int = 1, *, is_last: bool = False, stops: bool = False) -> None:
        self.number, self.is_last, self._stops = number, is_last, stops

    def should_stop(self) -> bool:
        return self._stops


class Shop:
    """A server with a repository, worked by hand."""

    bad, worse, fine = BAD, WORSE, FINE
    attempt = Once

    def __init__(self, service: Service, origin: Origin) -> None:
        self.service, self.origin = service, origin
        self.remote = RemoteRepository("group/shop", origin.url, default_branch="main")

    def accept(self, trigger: Trigger, **source: Any) -> AssessmentId:
        with self.service.database.write() as link:
            (number,) = accept(self.service, link, trigger, source=Source(**source))
        return number

    def push(self, after: str, before: str = "", ref: str = "refs/heads/main") -> AssessmentId:
        return self.accept(Trigger(TriggerKind.PUSH, self.remote, ref=ref, before=before, after=after, actor="ada"))

    def request(self, head: str, number: int = 5, base: str = "", ref: str = "") -> AssessmentId:
        merge = MergeRequest(number, "refs/heads/main", head, base)
        kind, name = SubjectKind.MERGE_REQUEST, ref or f"refs/pull/{number}/head"
        return self.accept(Trigger(TriggerKind.MERGE_REQUEST, self.remote, kind, ref=name, merge_request=merge))

    def assess(self, number: AssessmentId, attempt: Once | None = None) -> Any:
        assess(self.service, {"assessment": number}, attempt or Once())
        return self.row(number)

    def take_stock(self, number: AssessmentId) -> None:
        row = self.row(number)
        inventory(self.service, {"subject": row.subject, "head": row.head}, Once())

    def row(self, number: AssessmentId) -> Any:
        with self.service.database.read() as link:
            return link.execute(sa.select(tables.assessment).where(tables.assessment.c.id == number)).one()

    def subject(self, number: AssessmentId) -> Any:
        with self.service.database.read() as link:
            return link.execute(sa.select(tables.subject).where(tables.subject.c.id == self.row(number).subject)).one()

    def verdict(self, number: AssessmentId) -> Verdict:
        return msgspec.json.decode(self.service.blobs.get(Digest(self.row(number).verdict)), type=Verdict)

    def jobs(self, kind: str) -> list[Any]:
        from assaymark.jobs.job import JobState  # noqa: PLC0415

        with self.service.database.read() as link:
            rows = self.service.queue.rows(link, JobState.WAITING, before=None, limit=100)
        return [row.job for row in rows if row.job.kind == kind]

    def open_rows(self, number: AssessmentId) -> list[tuple[str, str]]:
        o = tables.occurrence.c
        asked = sa.select(o.rule, o.path).where(o.subject == self.row(number).subject, o.closed_at.is_(None))
        with self.service.database.read() as link:
            return sorted((row.rule, row.path) for row in link.execute(asked) if not row.rule.endswith("/unchecked"))


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "git" / "shop")


@pytest.fixture
def make_service(database_url: str, tmp_path: Path, warm_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Service]:
    monkeypatch.setenv("ASSAYMARK_CACHE", str(warm_cache))

    def make(**given: str) -> Service:
        options = {"local_repositories": str(tmp_path / "git"), **given}
        made = open_service(load({"HOME": str(tmp_path)}, data=str(tmp_path / "data"), database=database_url, **options))
        migrate(made.database)
        return made

    return make


@pytest.fixture
def shop(make_service: Callable[..., Service], origin: Origin) -> Any:
    made = make_service()
    yield Shop(made, origin)
    made.database.close()
