"""With the files of a commit at hand, what is imported has the identity that a check of ours gives."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import sqlalchemy as sa

from assaymark.model.assessment import RepositoryId, SubjectId
from assaymark.server.service import Service
from assaymark.server.work.importing import AT_ONCE, By, Order, import_report, take
from assaymark.server.work.remotes import mirror_of
from assaymark.store.tables import finding, repository, subject

SOURCE = 'def find(name):\n    return run("SELECT * FROM users WHERE name = \'" + name + "\'")\n'
MOVED = "# a line above\n\n\n" + SOURCE


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _stage(service: Service, folder: Path) -> tuple[SubjectId, str, str]:
    """A subject whose repository's copy holds two commits."""
    with service.database.write() as link:
        values = {"name": "r", "clone_url": "https://forge.test/r.git", "created_at": 0}
        number = link.execute(repository.insert().values(values).returning(repository.c.id)).scalar_one()
        row = {"kind": "branch", "key": "b", "name": "b", "repository": number, "created_at": 0}
        made = link.execute(subject.insert().values(row).returning(subject.c.id)).scalar_one()
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    heads = []
    for text in (SOURCE, MOVED):
        (folder / "a.py").write_text(text)
        _git(folder, "add", "a.py")
        _git(folder, "commit", "-qm", "x")
        heads.append(_git(folder, "rev-parse", "HEAD"))
    mirror = mirror_of(service, RepositoryId(number))
    mirror.folder.parent.mkdir(parents=True, exist_ok=True)
    _git(folder, "clone", "-q", "--bare", str(folder), str(mirror.folder))
    return SubjectId(made), heads[0], heads[1]


def _sarif(line: int) -> bytes:
    place = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": line}}}
    result = {"ruleId": "S608", "message": {"text": "SQL"}, "locations": [place]}
    return json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "ruff"}}, "results": [result]}]}).encode()


def test_a_place_is_known_by_its_statement_so_that_it_may_move(service: Service, tmp_path: Path) -> None:
    number, before, after = _stage(service, tmp_path / "work")
    first = take(service, number, _sarif(2), Order("", commit=before), By("me"))
    second = take(service, number, _sarif(5), Order("", commit=after), By("me"))
    assert (first.notes, first.opened) == ((), 1)
    assert (second.opened, second.closed) == (0, 0)
    with service.database.read() as link:
        [(core, rule_class)] = link.execute(sa.select(finding.c.core, finding.c.rule_class)).all()
    assert "SELECT * FROM users" in json.loads(core)[2][1]
    assert rule_class == "sql-injection"


def test_without_the_files_the_answer_says_so(service: Service, tmp_path: Path) -> None:
    number, _, _ = _stage(service, tmp_path / "work")
    told = take(service, number, _sarif(2), Order("", commit="f" * 40), By("me"))
    assert told.opened == 1
    assert any("not at hand" in note for note in told.notes)


class _Once:
    number, is_last = 1, False

    def should_stop(self) -> bool:
        return False


def test_what_was_sent_is_not_kept_longer_than_it_is_needed(service: Service, tmp_path: Path) -> None:
    number, _, _ = _stage(service, tmp_path / "work")
    token = "AK" + "IA" + "Q3EGRIHZKW5MTXYB"
    row = {"RuleID": "aws-access-token", "StartLine": 1, "EndLine": 1, "Match": token, "Secret": token, "File": "a.py", "Description": "k"}
    small = json.dumps([row]).encode()
    large = json.dumps([row | {"Author": "x" * (AT_ONCE + 1)}]).encode()
    assert take(service, number, small, Order(""), By("me")).opened == 1
    waiting = take(service, number, large, Order(""), By("me"))
    assert waiting.state == "running"
    assert any(token.encode() in service.blobs.get(each) for each in service.blobs.every())
    import_report(service, {"assessment": waiting.assessment}, _Once())
    assert not any(token.encode() in service.blobs.get(each) for each in service.blobs.every())
