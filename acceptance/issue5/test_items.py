"""Root causes, owners and issues: fifty findings of one cause are one item with one owner and one issue, which closes with them.

Every request to a tracker is held against its published description (`ASSAYMARK_FORGE_DESCRIPTIONS`, see `acceptance/issue4/described.py`;
for this part also ``jira.json``); CODEOWNERS files of public repositories are read from the folder that `ASSAYMARK_CODEOWNERS` names.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from acceptance.issue4.described import ORIGINALS, VARIABLE, Asked, Description, load
from tests.assess.conftest import Once, make_service, origin, shop  # noqa: F401 - fixtures
from tests.conftest import database_url, make_database, postgres, prepared_sqlite, service, warm_cache  # noqa: F401 - fixtures
from tests.server.test_server_issues import Desk, fifty
from tests.server.tracker_stand_in import Tracker, _Handler

from assaymark.model.codeowners import Dialect, parse
from assaymark.server.service import Service
from assaymark.server.work.owners import own_items
from assaymark.store import issues as kept
from assaymark.store import items
from assaymark.store.item_keeping import Owner, own
from assaymark.store.items import Filter, ItemState
from assaymark.store.tables import item

FOLDER = "ASSAYMARK_CODEOWNERS"
KINDS = {"github": "github", "gitlab": "gitlab", "gitea": "gitea", "jira-cloud": "jira"}
WEAK = b"import subprocess\n\n\ndef run(name):\n    subprocess.run('ls ' + name, shell=True)\n"


class Described(Tracker):
    """A tracker that writes down what of a request is not as described."""

    def __init__(self, kind: str, description: Description) -> None:
        super().__init__(kind)
        self.description = description
        self.mistakes: list[str] = []
        self.raw: list[Asked] = []

    def look(self, asked: Asked) -> None:
        self.raw.append(asked)
        self.mistakes += self.description.mistakes(asked)

    def finish_request(self, request: Any, client_address: Any) -> None:
        _Looking(request, client_address, self)


class _Looking(_Handler):
    server: Described

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0") or 0))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.look(Asked(self.command, parts.path, parts.query, headers, body))
        self.rfile = __import__("io").BytesIO(body)
        super()._answer()

    do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815 - the names that the library calls


@pytest.fixture(params=KINDS)
def described(request: pytest.FixtureRequest, service: Service) -> Iterator[Desk]:  # noqa: F811
    import threading  # noqa: PLC0415

    description = load(KINDS[request.param])
    if description is None:
        where = ORIGINALS[KINDS[request.param]]
        pytest.skip(f"NOT PROVED: no folder of {VARIABLE} has {KINDS[request.param]}.json or .yaml; get it from {where}")
    made = Described(request.param, description)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield Desk(service, made)
    made.shutdown()
    made.server_close()


@pytest.mark.enable_socket
def test_every_request_to_a_tracker_is_as_its_description_says(described: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = described
    desk.tell(*fifty())
    desk.send_and_die(monkeypatch, kept, "keep")  # made, and not noted
    desk.tell(*fifty()[:20])
    desk.later()  # looked for, and changed
    with desk.service.database.write() as link:
        own(link, link.execute(sa.select(item.c.id)).scalar_one(), Owner("codeowners", "@org/web"), desk._now(), basis="x")  # noqa: SLF001
    desk.tell()
    desk.send()  # closed
    desk.tell(*fifty())
    desk.send()  # opened again
    remote: Any = desk.remote
    assert remote.mistakes == []
    assert [each.is_open for each in desk.issues] == [True]
    assert {each.method for each in remote.raw} >= {"GET", "POST"} if "jira" not in remote.kind else {"GET", "POST", "PUT"}


@pytest.mark.enable_socket
def test_what_is_not_described_would_be_seen(described: Desk) -> None:
    remote: Any = described.remote
    described.tell(*fifty())
    described.send()
    good = remote.raw[0]
    assert remote.description.mistakes(good) == []
    assert remote.description.mistakes(good._replace(method="DELETE"))
    assert remote.description.mistakes(good._replace(query="nonsense=1"))
    assert remote.description.mistakes(good._replace(headers={"content-type": "application/json"}))
    assert remote.description.mistakes(good._replace(body=b'{"nonsense": 1}'))


def test_a_cause_of_fifty_findings_is_one_item_with_one_owner_that_closes_when_it_is_repaired(shop: Any) -> None:  # noqa: F811
    """From a push to the engine's own verdict: no finding is made up."""

    def push(files: dict[str, bytes], before: str = "") -> str:
        for name, content in files.items():
            path = shop.origin.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        head = str(shop.origin.commit())
        number = shop.push(head, before)
        shop.assess(number)
        shop.take_stock(number)
        own_items(shop.service, {"subject": shop.row(number).subject}, Once())
        return head

    names = [f"shop/part{number}.py" for number in range(50)]
    first = push(dict.fromkeys(names, WEAK) | {"CODEOWNERS": b"/shop/ @org/shop\n"})
    with shop.service.database.read() as link:
        (row,) = items.page(link, None, Filter())[0]
        assert (row.findings, row.owner, row.owner_source) == (50, "@org/shop", "codeowners")
    second = push({"README.md": b"nothing\n"}, first)
    with shop.service.database.read() as link:
        assert len(items.history(link, row.id)) == 2  # opened, and given; the second push changed nothing
    push(dict.fromkeys(names, b"x = 1\n"), second)
    with shop.service.database.read() as link:
        assert items.page(link, None, Filter())[0] == []
        (closed,) = items.page(link, None, Filter(state=ItemState.CLOSED))[0]
        assert closed.id == row.id


def files() -> list[Path]:
    folder = os.environ.get(FOLDER, "")
    found = sorted(path for path in Path(folder).rglob("*") if path.is_file()) if folder else []
    if not found:
        pytest.skip(f"NOT PROVED: {FOLDER} names no folder with CODEOWNERS files of public repositories (github/…, gitlab/…)")
    return found


def test_codeowners_of_public_repositories_are_read_as_git_reads_their_patterns(tmp_path: Path) -> None:
    """Every pattern of GitHub's files that git's ignore rules share, over paths made from the file's own names."""
    compared = 0
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for file in [each for each in files() if "gitlab" not in each.parts]:
        patterns = list(dict.fromkeys(row.split()[0] for row in file.read_text("utf-8", "replace").splitlines() if row.split()))
        shared = [each for each in patterns if not each.startswith(("#", "!")) and not set("[]\\") & set(each) and not each.endswith("*")]
        paths = sorted({path for each in shared[:300] for path in _paths(each)})
        for pattern in shared[:300]:
            (tmp_path / ".git" / "info" / "exclude").write_text(f"{pattern}\n")
            line = ["git", "-C", str(tmp_path), "check-ignore", "--stdin", "-z", "--no-index"]
            said = subprocess.run(line, input="".join(f"{path}\0" for path in paths), capture_output=True, text=True, check=False)
            book = parse(f"{pattern} @o", Dialect.GITHUB)
            assert {path for path in paths if book.owners(path)} == set(said.stdout.split("\0")) - {""}, (file, pattern)
            compared += len(paths)
    assert compared > 1000


def _paths(pattern: str) -> list[str]:
    plain = pattern.strip("/").replace("**", "a/b").replace("*", "x").replace("?", "y")
    return [each for each in (plain, f"{plain}/deep/er.txt", f"top/{plain}", plain.partition("/")[0]) if each and "//" not in each]


def test_codeowners_of_public_repositories_are_asked_quickly() -> None:
    asked = 0
    began = time.process_time()
    for file in files():
        book = parse(file.read_text("utf-8", "replace"), Dialect.GITLAB if "gitlab" in file.parts else Dialect.GITHUB)
        for number in range(100):
            owners = book.owners(f"src/lib/module{number % 10}/file{number}.py")
            assert all("@" in owner for owner in owners)
            asked += 1
    assert (time.process_time() - began) / asked < 0.05
