"""Issues in trackers, from a recorded verdict to a tracker on the loopback: opened once, kept up, closed, opened again, never doubled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from msgspec.structs import replace
from tests.server.tracker_stand_in import Tracker, tracker
from tests.store.recording_samples import add_subject, seen, verdict

from assaymark.model.assessment import SECOND, Instant, SubjectId
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged
from assaymark.server.service import Service
from assaymark.server.work import issues as module
from assaymark.server.work.deliver import deliver
from assaymark.server.work.items import follow, tell_items
from assaymark.store import issues as kept
from assaymark.store.item_keeping import Owner, own
from assaymark.store.outbox import MessageState
from assaymark.store.recording import Recording, record
from assaymark.store.tables import connection, happening, issue, item, outbox, repository, subject

pytestmark = pytest.mark.enable_socket
KINDS = ("github", "gitlab", "gitea", "jira", "jira-cloud")
TOKEN = "t0" + "ken" * 8


class Attempt:
    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


class Killed(BaseException):
    """As if the process had ended there."""


class Desk:
    """A server with a repository and a tracker."""

    def __init__(self, service: Service, remote: Tracker) -> None:
        self.clock = 1_000_000 * SECOND
        settings = replace(service.settings, private_networks=("127.0.0.0/8",))
        self.service = replace(service, settings=settings, now=self._now)
        self.remote = remote
        self.subject = self._set_up()

    def _now(self) -> Instant:
        self.clock += 1
        return Instant(self.clock)

    def _set_up(self) -> SubjectId:
        number = add_subject(self.service.database, "shop main")
        is_jira = self.remote.kind.startswith("jira")
        options: dict[str, Any] = {"issues": {"severity": "high"} | ({"project": "SEC"} if is_jira else {})}
        options |= {"username": "bot@example.org"} if self.remote.kind == "jira-cloud" else {}
        with self.service.database.write() as link:
            sealed = self.service.vault.seal("connection:1:token", TOKEN)
            row = {"id": 1, "kind": "jira" if is_jira else self.remote.kind, "name": "t", "api_url": self.remote.api, "created_at": 0}
            link.execute(connection.insert(), row | {"token": sealed, "options": msgspec.json.encode(options).decode()})
            row = {"id": 1, "connection": 1, "name": "team/shop", "clone_url": "https://x/y", "forge_id": "42", "created_at": 0}
            link.execute(repository.insert(), row)
            link.execute(subject.update().values(repository=1, ref="refs/heads/main"))
        return number

    def tell(self, *found: Judged) -> None:
        with self.service.database.write() as link:
            record(link, Recording(None, self.subject, verdict(*found), "", whole=True, at=self._now()))
            follow(self.service, link)

    def send(self) -> None:
        deliver(self.service, {}, Attempt())

    def send_and_die(self, monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> None:
        """The process ends where this is called."""

        def killed(*_args: object, **_named: object) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(where, name, killed)
            with pytest.raises(Killed):
                self.send()

    def later(self) -> None:
        self.clock += 3600 * SECOND
        self.send()

    @property
    def issues(self) -> list[Any]:
        return list(self.remote.issues.values())

    def states(self) -> list[str]:
        with self.service.database.read() as link:
            return list(link.execute(sa.select(outbox.c.state).order_by(outbox.c.id)).scalars())


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest, service: Service) -> Iterator[Desk]:
    with tracker(request.param) as remote:
        yield Desk(service, remote)


def fifty() -> list[Judged]:
    return [seen(f"x{number}", f"src/f{number}.py", line=number + 1) for number in range(50)]


def test_fifty_findings_of_one_cause_are_one_issue_that_closes_and_opens_with_them(desk: Desk) -> None:
    desk.tell(*fifty())
    desk.send()
    (made,) = desk.issues
    assert made.is_open
    assert made.title.startswith("[high] ")
    assert "50 findings" in str(made.body)
    desk.tell()
    desk.send()
    assert [each.is_open for each in desk.issues] == [False]
    desk.tell(*fifty()[:2])
    desk.send()
    (again,) = desk.issues
    assert again.is_open
    assert "2 findings" in str(again.body)
    with desk.service.database.read() as link:
        (row,) = link.execute(sa.select(issue)).all()
    assert (row.remote, row.state) == ("SEC-1" if desk.remote.kind.startswith("jira") else "1", "open")
    assert row.url


def test_the_same_push_twice_asks_the_tracker_nothing(desk: Desk) -> None:
    desk.tell(*fifty())
    desk.send()
    asked = len(desk.remote.asked)
    desk.tell(*fifty())
    desk.later()
    assert len(desk.remote.asked) == asked


def test_what_changes_is_said_in_one_change(desk: Desk) -> None:
    desk.tell(*fifty())
    desk.send()
    desk.remote.asked.clear()
    desk.tell(*fifty()[:10])
    desk.send()
    assert "10 findings" in str(desk.issues[0].body)
    assert [method for method, _, _ in desk.remote.asked] in (["PATCH"], ["PUT"])


@pytest.mark.parametrize("moment", ["before it is sent", "after it is sent", "connection lost"])
def test_a_kill_at_any_point_leaves_one_issue(desk: Desk, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    desk.tell(*fifty())

    if moment == "connection lost":
        desk.remote.fails = lambda method, path: -1 if method == "POST" and path.endswith(("/issues", "/issue")) else 0
        desk.send()
        assert desk.states() == [MessageState.WAITING]
    elif moment == "before it is sent":
        desk.send_and_die(monkeypatch, module, "bring_up")
    else:
        desk.send_and_die(monkeypatch, kept, "keep")
    assert len(desk.issues) == (0 if moment == "before it is sent" else 1)
    desk.remote.fails = lambda _method, _path: 0
    desk.later()
    assert len(desk.issues) == 1
    assert desk.states() == [MessageState.SENT]


def test_an_issue_made_before_a_kill_is_found_when_the_item_changed_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message of the attempt that was killed is overtaken: the next one's first attempt has to look as well."""
    desk.tell(*fifty())

    desk.send_and_die(monkeypatch, kept, "keep")
    desk.tell(*fifty()[:3])
    desk.later()
    assert len(desk.issues) == 1
    assert "3 findings" in str(desk.issues[0].body)


def test_an_issue_is_found_behind_many_others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.tell(*fifty())

    desk.send_and_die(monkeypatch, kept, "keep")
    for number in range(2, 260):
        desk.remote._new(f"other {number}", "text", [])
    desk.later()
    assert len(desk.issues) == 259
    assert desk.states()[-1] == MessageState.SENT


def test_a_tracker_that_is_down_for_a_while_gets_it_then(desk: Desk) -> None:
    desk.remote.fails = lambda _method, _path: 503
    desk.tell(*fifty())
    for _ in range(3):
        desk.later()
    assert desk.issues == []
    desk.remote.fails = lambda _method, _path: 0
    desk.later()
    assert len(desk.issues) == 1


def test_a_tracker_that_is_down_for_a_day_gets_it_when_it_is_up(desk: Desk) -> None:
    desk.remote.fails = lambda _method, _path: 503
    desk.tell(*fifty())
    for _ in range(10):
        desk.later()
    assert desk.states() == [MessageState.GIVEN_UP]
    desk.remote.fails = lambda _method, _path: 0
    tell_items(desk.service, {}, Attempt())
    desk.later()
    assert len(desk.issues) == 1
    tell_items(desk.service, {}, Attempt())
    assert desk.states() == [MessageState.GIVEN_UP, MessageState.SENT]


def test_what_a_tracker_refuses_for_good_is_not_tried_again(desk: Desk) -> None:
    desk.remote.fails = lambda _method, _path: 403
    desk.tell(*fifty())
    desk.later()
    tell_items(desk.service, {}, Attempt())
    desk.later()
    assert len(desk.remote.asked) == 1


def test_an_issue_that_was_deleted_there_is_made_again_while_the_item_is_open(desk: Desk) -> None:
    desk.tell(*fifty())
    desk.send()
    desk.remote.issues = {7: module_issue(desk)}
    desk.tell(*fifty()[:10])
    desk.send()
    assert len(desk.issues) == 2
    assert "10 findings" in str(desk.issues[1].body)


def module_issue(desk: Desk) -> Any:
    made = desk.remote._new("another", "text", [])
    desk.remote.issues.clear()
    return made


def test_who_closes_an_issue_by_hand_is_not_contradicted(desk: Desk) -> None:
    desk.tell(*fifty())
    desk.send()
    desk.issues[0].is_open = False
    desk.tell(*fifty()[:10])
    desk.send()
    assert not desk.issues[0].is_open
    desk.tell()
    desk.send()
    assert not desk.issues[0].is_open


def test_what_is_below_the_policy_and_what_was_over_before_it_was_sent_makes_none(desk: Desk) -> None:
    desk.tell(seen("low", severity=Severity.LOW))
    desk.send()
    desk.tell(*fifty())
    desk.tell()
    desk.send()
    assert desk.issues == []


def test_another_owner_is_said_and_mentioned_only_at_a_forge(desk: Desk) -> None:
    desk.tell(*fifty())
    desk.send()
    with desk.service.database.write() as link:
        number = link.execute(sa.select(item.c.id)).scalar_one()
        own(link, number, Owner("codeowners", "@org/web"), desk._now(), basis="x")
        follow(desk.service, link)
    desk.send()
    said = str(desk.issues[0].body)
    assert ("@org/web" in said) == (desk.remote.kind != "jira")  # Data Center's own language would make a mention of it


def test_content_of_others_makes_no_mention_link_or_markup(desk: Desk) -> None:
    evil = "@everyone [x](javascript:1) <script>alert(1)</script> {color:red}a{color} !img! [~admin] #1 /close ||a||"
    found = seen(evil, f"src/{evil.replace('/', '_')}.py", rule_class=evil)
    desk.tell(found)
    desk.send()
    body = desk.issues[0].body
    if isinstance(body, dict):  # Atlassian's document format: plain texts, whatever they say
        kinds = {each["type"] for each in walk(body)}
        assert kinds <= {"doc", "paragraph", "text", "bulletList", "listItem", "link"}
        links = [mark["attrs"]["href"] for each in walk(body) for mark in each.get("marks", [])]
        assert all(link.startswith(desk.service.settings.url) for link in links)
        return
    outside = "".join(part for index, part in enumerate(body.split("`")) if index % 2 == 0)
    assert "@everyone" not in outside
    signs = ["[x](javascript", "{color:red}", "[~admin]", "!img!", "||a||"]
    signs += [] if desk.remote.kind == "jira" else ["<script"]  # Jira's own language knows no HTML
    assert [sign for sign in signs if sign in outside] == []
    assert not any(line.startswith("/close") for line in body.splitlines())


def walk(node: Any) -> Iterator[dict[str, Any]]:
    yield node
    for each in node.get("content", []):
        yield from walk(each)


def test_the_token_is_shown_as_each_tracker_wants_it_and_nowhere_else(desk: Desk) -> None:
    desk.tell(*fifty())
    desk.send()
    (headers,) = desk.remote.headers
    name = "private-token" if desk.remote.kind == "gitlab" else "authorization"
    word = {"gitlab": "", "gitea": "token ", "jira-cloud": "Basic "}.get(desk.remote.kind, "Bearer ")
    assert headers[name].startswith(word)
    assert (TOKEN in headers[name]) != (desk.remote.kind == "jira-cloud")
    with desk.service.database.read() as link:
        assert TOKEN not in str(link.execute(sa.select(outbox)).all()) + str(link.execute(sa.select(issue)).all())


def test_what_comes_all_at_once_is_told_as_one_thing_and_a_few_one_by_one(service: Service) -> None:
    with tracker("github") as remote:
        desk = Desk(service, remote)
        desk.tell(*(seen(f"x{number}", f"d{number}/f.py") for number in range(30)))
        desk.tell(*(seen(f"x{number}", f"d{number}/f.py") for number in range(3, 30)))
        with desk.service.database.read() as link:
            rows = link.execute(sa.select(happening.c.kind, happening.c.title, happening.c.path).order_by(happening.c.id)).all()
        assert (rows[0].kind, rows[0].title, rows[0].path) == ("item.opened", "30 items stand open", "/items")
        assert [row.kind for row in rows[1:]] == ["item.closed"] * 3
        assert all(row.path.startswith("/items/") for row in rows[1:])


def test_without_a_policy_there_is_no_issue(service: Service) -> None:
    with tracker("github") as remote:
        desk = Desk(service, remote)
        with desk.service.database.write() as link:
            link.execute(connection.update().values(options="{}"))
        desk.tell(*fifty())
        desk.send()
        assert desk.issues == []
        assert desk.states() == []


def test_a_workflow_without_a_way_to_done_is_said(service: Service) -> None:
    with tracker("jira") as remote:
        desk = Desk(service, remote)
        desk.tell(*fifty())
        desk.send()
        real = remote._of_issue

        def stuck(method: str, part: str, found: Any, body: Any) -> tuple[int, Any]:
            return (200, {"transitions": []}) if part == "transitions" else real(method, part, found, body)

        remote._of_issue = stuck  # type: ignore[method-assign]
        desk.tell()
        desk.send()
        with desk.service.database.read() as link:
            rows = link.execute(sa.select(outbox.c.state, outbox.c.error).order_by(outbox.c.id)).all()
        assert rows[-1].state == MessageState.GIVEN_UP
        assert "no transition into a status of the category done" in rows[-1].error
