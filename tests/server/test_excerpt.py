"""The lines of code around a finding: from the copy that is here, and nothing where a secret is near."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.store.recording_samples import add_subject, seen, tell, verdict

from assaymark.model.finding import Kind
from assaymark.server import sample
from assaymark.server.service import Service
from assaymark.server.work.excerpt import AROUND, MOST_BYTES, excerpt
from assaymark.store.tables import occurrence, repository, subject

_LINES = [f"line {number}" for number in range(1, 31)]


def _mirror(service: Service, content: bytes, path: str = "a.py") -> tuple[int, str]:
    """A copy of a repository with one file; gives the repository and the commit."""
    with service.database.write() as link:
        values = {"name": "r", "clone_url": "https://forge.test/r.git", "created_at": 0}
        number = link.execute(repository.insert().returning(repository.c.id), values).scalar_one()
    folder = service.settings.data / "mirrors" / f"{number}.git"
    folder.mkdir(parents=True)
    sample.git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(folder))
    head = b"commit refs/heads/main\ncommitter A <a@example.org> 1 +0000\ndata 1\nx\n"
    told = head + f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\ndone\n"
    sample.git(folder, "fast-import", "--quiet", "--done", given=told)
    return number, sample.git(folder, "rev-parse", "main").decode().strip()


def _found(service: Service, content: bytes, line: int, *more: Kind) -> int:
    number, commit = _mirror(service, content)
    about = add_subject(service.database, "r@main")
    others = (seen(f"other {kind}", kind=kind, rule=f"x/{kind}") for kind in more)
    tell(service.database, about, verdict(seen("it", line=line), *others), 10)
    with service.database.write() as link:
        link.execute(subject.update().where(subject.c.id == about).values(repository=number, head=f"git-sha1:{commit}"))
        return int(link.execute(sa.select(occurrence.c.id).where(occurrence.c.rule == "ruff/S608")).scalar_one())


@pytest.mark.parametrize(("line", "first", "last"), [(1, 1, 1 + AROUND), (15, 15 - AROUND, 15 + AROUND), (30, 30 - AROUND, 30)])
def test_the_line_stands_among_its_neighbours(service: Service, line: int, first: int, last: int) -> None:
    shown = excerpt(service, _found(service, "\n".join(_LINES).encode(), line))
    assert shown is not None
    assert [each.number for each in shown.lines] == list(range(first, last + 1))
    assert [each.text for each in shown.lines if each.is_it] == [f"line {line}"]


def test_nothing_is_shown_of_a_file_with_a_secret(service: Service) -> None:
    assert excerpt(service, _found(service, "\n".join(_LINES).encode(), 5, Kind.SECRET)) is None


def test_what_reverses_or_hides_text_is_made_visible(service: Service) -> None:
    shown = excerpt(service, _found(service, "a\u202eb\x07c".encode(), 1))
    assert shown is not None
    assert "\u202e" not in shown.lines[0].text
    assert "\x07" not in shown.lines[0].text


@pytest.mark.parametrize("content", [b"\0binary", b"x" * (MOST_BYTES + 1)])
def test_what_is_no_text_or_too_large_is_not_shown(service: Service, content: bytes) -> None:
    assert excerpt(service, _found(service, content, 1)) is None


def test_a_line_that_is_not_there_any_more_is_not_shown(service: Service) -> None:
    assert excerpt(service, _found(service, b"one\n", 900)) is None


def test_without_a_copy_there_is_no_code(service: Service) -> None:
    number = _found(service, b"one\n", 1)
    with service.database.write() as link:
        link.execute(subject.update().values(head="git-sha1:" + "0" * 40))
    assert excerpt(service, number) is None
    assert excerpt(service, 10**9) is None
