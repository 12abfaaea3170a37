"""`assay endorse`: a server is asked and signs; without one only a pass of the very commit is signed, with a key of one's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
import uvicorn
from tests.assess.conftest import Once, Origin
from tests.endorsing.conftest import Endorsing
from tests.server.api.conftest import identify

import assaymark
from assaymark.endorsement import keys, revocation, trust
from assaymark.endorsement.trust import Trust, TrustRoot
from assaymark.endorsement.verify import Expected, verify
from assaymark.jobs.job import clock
from assaymark.server.app import make_app
from assaymark.server.work.handlers import handler
from assaymark.store import tables

VERIFIER, RESOURCE = "https://ci.example.org/verifier/1", "git+https://forge.example.org/shop"
_SOURCE = str(Path(assaymark.__file__).parents[1])
FINE = b"def run(name):\n    return name\n"
BAD = b"import subprocess\n\n\ndef run(name):\n    subprocess.run('ls ' + name, shell=True)\n"


class Desk:
    """A working copy, and the command in it."""

    def __init__(self, origin: Origin, folder: Path, cache: Path) -> None:
        self.origin, self.folder, self.cache = origin, folder, cache
        private, self.public = keys.new_key()
        self.key = folder / "key.pem"
        self.key.write_bytes(private)
        self.key.chmod(0o600)

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "HOME": str(self.folder), "ASSAYMARK_CACHE": str(self.cache), "PYTHONPATH": _SOURCE, **environment}
        program = [sys.executable, "-c", "from assaymark.cli.main import main; main()", *words]
        return subprocess.run(program, cwd=self.origin.path, env=env, capture_output=True, text=True, check=False, timeout=60)

    def check(self, *words: str) -> Path:
        done = self.run("check", *words, "--format", "json", "-o", str(self.folder / "verdict.json"))
        assert done.returncode in (0, 1, 5), done.stderr
        return self.folder / "verdict.json"

    def sign(self, file: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        given = ("--verdict", str(file), "--key", str(self.key), "--verifier", VERIFIER, "--resource", RESOURCE)
        return self.run("endorse", *words, *given, **environment)


@pytest.fixture
def desk(tmp_path: Path, warm_cache: Path) -> Desk:
    (tmp_path / "desk").mkdir()
    made = Desk(Origin(tmp_path / "work" / "shop"), tmp_path / "desk", warm_cache)
    made.origin.commit("first", app=FINE)
    return made


def test_a_pass_is_signed_with_a_key_and_holds_for_commit_and_tree(desk: Desk) -> None:
    head = desk.origin.commit("second", app=FINE + b"\n")
    out = desk.folder / "shop.sigstore.json"
    done = desk.sign(desk.check("HEAD"), "-o", str(out), "--environment", "staging")
    assert done.returncode == 0, done.stderr
    trusted = trust.opened(Trust((TrustRoot("ci", VERIFIER, (desk.public.pem,)),)))
    tree = desk.origin.git("rev-parse", "HEAD^{tree}")
    for digest in (f"gitCommit:{head}", f"gitTree:{tree}"):
        answer = verify(out.read_bytes(), digest, Expected(RESOURCE, "staging"), trusted, revocation.opened(()), now=clock())
        assert answer.ok, answer.refused
        assert answer.id == done.stdout.strip()


def test_anything_but_a_pass_is_refused(desk: Desk) -> None:
    desk.origin.commit("bad", app=BAD)
    file = desk.check("HEAD")
    done = desk.sign(file)
    assert (done.returncode, "only a pass is endorsed" in done.stderr, done.stdout) == (1, True, "")
    document = json.loads(file.read_text())
    assert document["verdict"]["outcome"] == "fail"
    document["verdict"]["outcome"] = "pass"  # as somebody would who wants it signed
    file.write_text(json.dumps(document))
    done = desk.sign(file)
    assert (done.returncode, "contradicts itself" in done.stderr) == (1, True)
    document["verdict"]["outcome"] = "unproven"
    file.write_text(json.dumps(document))
    assert desk.sign(file).returncode == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d["verdict"]["head"].update(digest="git-sha1:" + "0" * 40), ""),
        (lambda d: d["verdict"]["head"].update(kind="worktree"), "a verdict of a worktree is not signed"),
        (lambda d: d["verdict"]["head"].update(digest="sha256:" + "0" * 64), "is not signed"),
        (lambda d: d.update(version="2.0"), "no verdict that this release reads"),
        (lambda d: d.update(format="other"), "no verdict that this release reads"),
        (lambda d: d["verdict"].pop("reasons"), "no verdict"),
    ],
)
def test_a_verdict_of_anything_else_is_refused(desk: Desk, change: Callable[[Any], Any], why: str) -> None:
    file = desk.check("HEAD")
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    done = desk.sign(file)
    assert done.returncode != 0
    assert done.stdout == ""
    assert why in done.stderr


def test_a_name_twice_and_a_verdict_of_another_commit_are_refused(desk: Desk) -> None:
    file = desk.check("HEAD")
    text = file.read_text()
    file.write_text(text.replace('"outcome": "pass"', '"outcome": "fail", "outcome": "pass"'))
    assert "twice" in desk.sign(file).stderr
    file.write_text(text)
    desk.origin.commit("another", app=FINE + b"\n\n")
    done = desk.sign(file, "HEAD")
    assert (done.returncode, "check what is to be signed" in done.stderr) == (2, True)
    assert desk.sign(file, "HEAD~1").returncode == 0


def test_what_is_missing_is_said(desk: Desk) -> None:
    file = str(desk.check("HEAD"))
    assert "--key is missing" in desk.run("endorse", "--verdict", file).stderr
    assert "--verifier is missing" in desk.run("endorse", "--verdict", file, "--key", str(desk.key)).stderr
    assert "are for --verdict" in desk.run("endorse", "--key", str(desk.key)).stderr
    assert "which server" in desk.run("endorse").stderr
    assert "over TLS" in desk.run("endorse", "--server", "http://example.org", ASSAYMARK_TOKEN="x").stderr
    assert "no token" in desk.run("endorse", "--server", "http://127.0.0.1:1").stderr
    desk.key.chmod(0o644)
    assert desk.run("endorse", "--verdict", file, "--key", str(desk.key), "--verifier", VERIFIER, "--resource", RESOURCE).returncode == 2


# --- a server is asked -----------------------------------------------------------------------------------------------


@pytest.fixture
def there(lite: Endorsing) -> Iterator[str]:
    with lite.service.database.write() as link:
        link.execute(tables.person.insert(), {"id": 1, "login": "admin", "handle": b"admin", "created_at": 1})
    settings = msgspec.structs.replace(lite.service.settings, rate=10_000_000, public_rate=10_000_000)
    lite.service = msgspec.structs.replace(lite.service, settings=settings)
    app = make_app(lite.service, identify=identify)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@pytest.mark.enable_socket
def test_a_server_signs_what_it_judged_and_gives_the_bundle(lite: Endorsing, there: str, desk: Desk) -> None:
    number = lite.passes()
    desk = Desk(lite.origin, desk.folder, desk.cache)

    def work() -> None:
        ends = time.monotonic() + 30
        while not lite.jobs("endorse") and time.monotonic() < ends:
            time.sleep(0.05)
        for job in lite.jobs("endorse"):
            handler(job.kind)(lite.service, job.arguments, Once())

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    out = desk.folder / "there.sigstore.json"
    done = desk.run("endorse", "--server", there, "-o", str(out), ASSAYMARK_TOKEN="admin")
    worker.join(60)
    assert done.returncode == 0, done.stderr
    row = lite.endorsed(number)
    assert row is not None
    assert done.stdout.strip() == row.digest
    assert json.loads(out.read_text())["mediaType"].startswith("application/vnd.dev.sigstore.bundle")


@pytest.mark.enable_socket
def test_a_server_refuses_what_failed_and_says_when_people_have_to_approve(lite: Endorsing, there: str, desk: Desk) -> None:
    number = lite.passes()
    desk = Desk(lite.origin, desk.folder, desk.cache)
    lite.set_terms(people=1)
    lite.endorse(number, login="olga")
    done = desk.run("endorse", "--server", there, ASSAYMARK_TOKEN="admin")
    assert (done.returncode, "people have to approve" in done.stderr) == (5, True), done.stderr
    failing = lite.push(lite.origin.commit("bad", app=lite.bad), before=lite.row(number).head)
    lite.assess(failing)
    done = desk.run("endorse", "--server", there, ASSAYMARK_TOKEN="admin")
    assert (done.returncode, "only a pass is endorsed" in done.stderr or "is fail" in done.stderr) == (1, True), done.stderr
    assert desk.run("endorse", "0" * 40, "--server", there, ASSAYMARK_TOKEN="admin").returncode == 2
    assert desk.run("endorse", "--server", there, ASSAYMARK_TOKEN="nobody").returncode == 2
    with lite.service.database.read() as link:
        assert link.execute(sa.select(sa.func.count()).select_from(tables.endorsement)).scalar_one() == 0
